/** @fileoverview The layers the kernels are timed on: those that matter in Tiny-YOLOv2 and MobileNets. */

export interface BenchLayer {
  readonly name: string;
  /** Of the whole layer. */
  readonly channels: number;
  readonly filters: number;
  readonly groups: number;
  /** Rows and columns of map and output; stride 1. */
  readonly size: number;
  readonly kernel: number;
}

export const layers: readonly BenchLayer[] = [
  { name: '3x3 256->512 @13', channels: 256, filters: 512, groups: 1, size: 13, kernel: 3 },
  { name: '3x3 16->32 @208', channels: 16, filters: 32, groups: 1, size: 208, kernel: 3 },
  { name: '3x3 3->16 @416', channels: 3, filters: 16, groups: 1, size: 416, kernel: 3 },
  { name: '1x1 512->25 @13', channels: 512, filters: 25, groups: 1, size: 13, kernel: 1 },
  { name: '1x1 512->512 @13', channels: 512, filters: 512, groups: 1, size: 13, kernel: 1 },
  { name: '3x3 depthwise 256 @26', channels: 256, filters: 256, groups: 256, size: 26, kernel: 3 },
];

/** Multiply-accumulates, padding counted. */
export function macs({ channels, filters, groups, size, kernel }: BenchLayer): number {
  return (size * size * filters * channels * kernel * kernel) / groups;
}

/** Padding on every side that keeps the size. */
export function padding(layer: BenchLayer): number {
  return (layer.kernel - 1) / 2;
}

/** Integers low..high, the same in every run. */
export function fillRandom(values: { length: number; [index: number]: number }, low: number, high: number) {
  let state = 0x2545f491;
  for (let i = 0; i < values.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    values[i] = low + ((state >>> 0) % (high - low + 1));
  }
}
