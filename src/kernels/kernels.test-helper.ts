/**
 * @fileoverview What the kernels' tests share. Each case lays its operands out in random order, unaligned, packed
 * against the end of the memory, and compares the whole memory afterwards: a kernel may write its output and its
 * workspace and nothing else, and may not read beyond the memory. Every test runs on both modules.
 */
import fc from 'fast-check';
import { beforeAll, describe, expect } from 'vitest';
import {
  createMemory,
  type ElementFormat,
  FIRST_FREE_ADDRESS,
  type Kernels,
  loadKernels,
} from './kernels.ts';

const MEMORY_BYTES = 1 << 21;
const memory = createMemory(MEMORY_BYTES);
export const bytes = new Int8Array(memory.buffer);
export const view = new DataView(memory.buffer);

/** Defines tests for the kernels with SIMD and without. */
export function describeKernels(name: string, define: (kernels: () => Kernels) => void): void {
  describe.each([
    { module: 'SIMD', simd: true },
    { module: 'plain', simd: false },
  ])(`${name}, $module`, ({ simd }) => {
    let kernels: Kernels;
    beforeAll(async () => {
      kernels = await loadKernels(memory, { simd });
    });
    define(() => kernels);
  });
}

export const formats: readonly ElementFormat[] = [
  { bytes: 1, unsigned: 0 },
  { bytes: 1, unsigned: 1 },
  { bytes: 2, unsigned: 0 },
  { bytes: 2, unsigned: 1 },
];
export const format: fc.Arbitrary<ElementFormat> = fc.constantFrom(...formats);

export function readElement(from: DataView, address: number, { bytes, unsigned }: ElementFormat): number {
  if (bytes === 2) return unsigned ? from.getUint16(address, true) : from.getInt16(address, true);
  return unsigned ? from.getUint8(address) : from.getInt8(address);
}

/** Writes the low bits of a number. */
export function writeElement(to: DataView, address: number, value: number, bytes: number): void {
  if (bytes === 2) to.setInt16(address, value, true);
  else to.setInt8(address, value);
}

/** An integer of a format. */
export function elementOf({ bytes, unsigned }: ElementFormat): fc.Arbitrary<number> {
  const half = 2 ** (8 * bytes - 1);
  return fc.integer(unsigned ? { min: 0, max: 2 * half - 1 } : { min: -half, max: half - 1 });
}

/** Random operand contents: 'random' bytes, or one of the extremes everywhere. */
type Fill = 'random' | 'lowest' | 'highest';

export interface Layout {
  readonly fill: Fill;
  /** Seeds contents, order and alignment of the operands. */
  readonly seed: number;
}

export const layout: fc.Arbitrary<Layout> = fc.record({
  fill: fc.constantFrom<Fill>('random', 'random', 'lowest', 'highest'),
  seed: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
});

/** xorshift32: uniform unsigned 32-bit integers. */
export function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/**
 * Places regions of the given sizes (bytes) downwards from the end of the memory, in random order with gaps of
 * 0..3 bytes, and fills everything above FIRST_FREE_ADDRESS. Returns the addresses by name.
 */
export function place<Name extends string>(
  sizes: Record<Name, number>,
  { fill, seed }: Layout,
): Record<Name, number> {
  const next = generator(seed);
  const names = Object.keys(sizes) as Name[];
  const order = names.map((name) => ({ name, key: next() })).sort((a, b) => a.key - b.key);
  const addresses = {} as Record<Name, number>;
  let end = MEMORY_BYTES;
  for (const { name } of order) {
    end -= sizes[name];
    addresses[name] = end;
    end -= next() % 4;
  }
  expect(end).toBeGreaterThanOrEqual(FIRST_FREE_ADDRESS);
  if (fill === 'random') {
    for (let address = end & ~3; address < MEMORY_BYTES; address += 4) view.setUint32(address, next(), true);
  } else {
    bytes.fill(fill === 'lowest' ? -128 : 127, end);
  }
  return addresses;
}

/** Runs a kernel and expects the memory to change to what `expected` makes of it, but for the `free` regions. */
export function expectMemory(
  run: () => void,
  expected: (image: DataView) => void,
  ...free: readonly { readonly address: number; readonly size: number }[]
): void {
  const image = bytes.slice();
  expected(new DataView(image.buffer));
  run();
  for (const { address, size } of free) image.set(bytes.subarray(address, address + size), address);
  if (Buffer.compare(new Uint8Array(image.buffer), new Uint8Array(bytes.buffer)) !== 0) {
    const at = image.findIndex((value, index) => value !== bytes[index]);
    expect.fail(`byte ${at} is ${bytes[at]}, not ${image[at]}`);
  }
}
