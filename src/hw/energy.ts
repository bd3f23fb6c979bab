/**
 * Energy of single actions on chip, in picojoules at 45 nm and 0.9 V: M. Horowitz, "Computing's energy problem (and what we can do
 * about it)", ISSCC 2014. Integer addition of 8 and 32 bits 0.03 and 0.1; multiplication of 8 x 8 and 32 x 32 bits 0.2 and
 * 3.1; a cache access of 64 bits from 8 KiB, 32 KiB and 1 MiB 10, 20 and 100. What lies between follows from those:
 *
 * - an adder grows with its bits: the straight line through 8 and 32, below 8 in proportion;
 * - a multiplier grows with the product of its widths: 0.2 x a x b / 64 (32 x 32 gives 3.2);
 * - an SRAM grows with its capacity between the three sizes as a power of it, below 8 KiB and above 1 MiB as the square root; an access
 *   costs in proportion to its bits; a second port lets it grow by half (an assumption; the source has single ports).
 *
 * Clock tree, control, wires between units, leakage and the registers of the pipeline are not counted.
 */

/** Addition (or comparison) of two numbers of `bits` bits. */
export function additionPicojoules(bits: number): number {
  return bits <= 8 ? 0.03 * (bits / 8) : 0.03 + ((0.1 - 0.03) * (bits - 8)) / (32 - 8);
}

/** Multiplication of `a` bits by `b` bits. */
export function multiplicationPicojoules(a: number, b: number): number {
  return (0.2 * a * b) / 64;
}

/** Capacity in bytes and energy of an access of 64 bits. */
const sramPoints: readonly (readonly [bytes: number, picojoules: number])[] = [
  [8 * 1024, 10],
  [32 * 1024, 20],
  [1024 * 1024, 100],
];

/** One byte read from or written to an SRAM of `capacityBytes` (of one bank, where there are several) with `ports` ports. */
export function sramPicojoulesPerByte(capacityBytes: number, ports: 1 | 2): number {
  return (accessPicojoules(Math.max(capacityBytes, 1)) / 8) * (ports === 2 ? 1.5 : 1);
}

/** An access of 64 bits. */
function accessPicojoules(bytes: number): number {
  const first = sramPoints[0]!;
  const last = sramPoints.at(-1)!;
  if (bytes <= first[0]) return first[1] * Math.sqrt(bytes / first[0]);
  if (bytes >= last[0]) return last[1] * Math.sqrt(bytes / last[0]);
  const above = sramPoints.findIndex(([size]) => bytes <= size);
  const [low, lowEnergy] = sramPoints[above - 1]!;
  const [high, highEnergy] = sramPoints[above]!;
  return lowEnergy * (highEnergy / lowEnergy) ** (Math.log(bytes / low) / Math.log(high / low));
}

export const energySource =
  'On-chip energy: 45 nm, Horowitz, ISSCC 2014, scaled by bits and capacity (src/hw/energy.ts); without clock tree, wires and leakage.';
