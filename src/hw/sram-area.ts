/**
 * Area of on-chip memories in square micrometres at 45 nm, from their capacity and ports.
 *
 * A memory is a square of bit cells with a strip of periphery (decoders, sense amplifiers, drivers) along two of its sides:
 * (sqrt(bits x cell) + strip)^2. So a small memory has less of its area in cells than a large one.
 *
 * - Cell with one port (six transistors): 0.346 um^2, Intel's 45 nm test chip of 153 Mbit, January 2006.
 * - Cell with a read and a write port (eight transistors): 0.597 um^2, the 64 kbit macro of IEEE JSSC 43 (4), April 2008
 *   (2-port SRAM with a single read bit line, 45 nm low standby power).
 * - Strip: chosen so that 1024 x 32 bits with one port take the 33,200 um^2 of OpenROAD's fakeram45 model of that size (1.27
 *   NAND2 of Nangate45, 0.798 um^2 each, a bit). An assumption: the same strip for every size, word width and number of ports.
 *
 * Redundancy, test logic, power switches and the wiring between memories are not counted.
 */

const cells = { 1: 0.346, 2: 0.597 } as const;

/** What the strip is fitted to: bits with one port, and their area. */
const known = { bits: 1024 * 32, squareMicrometres: 1.27 * 0.798 * 1024 * 32 } as const;

const stripMicrometres = Math.sqrt(known.squareMicrometres) - Math.sqrt(known.bits * cells[1]);

/** One memory of `bytes` bytes (a bank, where there are several) with `ports` ports; 0 for none. */
export function sramSquareMicrometres(bytes: number, ports: 1 | 2): number {
  if (bytes === 0) return 0;
  return (Math.sqrt(8 * bytes * cells[ports]) + stripMicrometres) ** 2;
}

export const sramAreaSource =
  'Area of memories: 45 nm, bit cells of 0.346 um2 (one port, Intel 2006) and 0.597 um2 (two ports, IEEE JSSC 43(4), 2008), and a strip of periphery fitted to fakeram45 (src/hw/sram-area.ts); an estimate, each bank a memory.';
