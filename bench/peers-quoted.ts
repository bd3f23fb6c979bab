/**
 * @fileoverview What other simulators took for Tiny-YOLOv2 at 416 x 416, quoted: measured once, on 2 cores under load, on another
 * day than ours (CPU seconds, pessimistic by 10 to 20 %). Nothing here runs them. Versions are named, so that anyone can.
 */

export interface QuotedPeer {
  readonly name: string;
  readonly array: string;
  /** What its result counts, and leaves out. */
  readonly counts: string;
  /** Against which of our modes it is fair to hold it. */
  readonly against: 'full' | 'timing';
  /** CPU seconds of the whole network: the least and the most that was found. */
  readonly cpuSeconds: readonly [number, number];
  /** Whether the whole network was run, or its time follows from the layers that were. */
  readonly whole: boolean;
  /** Simulated cycles per CPU second; null where nothing is stepped. */
  readonly cyclesPerCpuSecond: readonly [number, number] | null;
  /** Peak memory in MiB, of the whole network (or of what was run of it). */
  readonly peakMiB: readonly [number, number];
}

export const quotedPeers: readonly QuotedPeer[] = [
  {
    name: 'STONNE 22634b8',
    array: '16x16, output-stationary',
    counts: 'cycles with float32 data; no pooling, no DRAM',
    against: 'full',
    cpuSeconds: [1920, 2400],
    whole: false,
    cyclesPerCpuSecond: [7028, 7442],
    peakMiB: [13, 13],
  },
  {
    name: 'SCALE-Sim 3.0.0',
    array: '16x16, stall-free',
    counts: 'addresses a cycle; no data, pooling or DRAM timing',
    against: 'timing',
    cpuSeconds: [1680, 1680],
    whole: false,
    cyclesPerCpuSecond: [8333, 10_000],
    peakMiB: [26_000, 33_000],
  },
  {
    name: 'SCALE-Sim 3.0.0',
    array: '32x32, weight-stationary',
    counts: 'as above',
    against: 'timing',
    cpuSeconds: [660, 1020],
    whole: false,
    cyclesPerCpuSecond: [5000, 7143],
    peakMiB: [12_000, 15_000],
  },
  {
    name: 'mNPUsim b0f3c14',
    array: '16x16, output-stationary',
    counts: 'addresses, DRAMsim3; no data, pooling takes no time',
    against: 'timing',
    cpuSeconds: [120, 540],
    whole: false,
    cyclesPerCpuSecond: [27_000, 127_000],
    peakMiB: [19, 19],
  },
  {
    name: 'ONNXim a1e8629',
    array: '16x16, weight-stationary',
    counts: 'tiles, Ramulator; no data, pooling and activation free',
    against: 'timing',
    cpuSeconds: [57.6, 57.6],
    whole: true,
    cyclesPerCpuSecond: [275_000, 275_000],
    peakMiB: [119.6, 119.6],
  },
  {
    name: 'ZigZag 3.8.5',
    array: '32x32',
    counts: 'formulas and mapping search; nothing is stepped',
    against: 'timing',
    cpuSeconds: [48.4, 48.4],
    whole: true,
    cyclesPerCpuSecond: null,
    peakMiB: [303, 303],
  },
  {
    name: 'Vela 3.10',
    array: 'Ethos-U55-256',
    counts: "a compiler's estimate; nothing is stepped",
    against: 'timing',
    cpuSeconds: [9.9, 9.9],
    whole: true,
    cyclesPerCpuSecond: null,
    peakMiB: [1166, 1166],
  },
];
