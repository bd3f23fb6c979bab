import { describe, expect, it } from 'vitest';
import { createMemory, loadKernels, MAXIMUM_MEMORY_BYTES, scratchBytes } from './kernels.ts';

describe('memory', () => {
  it('is made in whole pages and bounded', () => {
    expect(createMemory(1).buffer.byteLength).toBe(65536);
    expect(createMemory(65537).buffer.byteLength).toBe(131072);
    for (const size of [-1, 0.5, Number.NaN, MAXIMUM_MEMORY_BYTES + 1]) {
      expect(() => createMemory(size)).toThrow(RangeError);
    }
  });

  it('may have any size', async () => {
    await expect(loadKernels(createMemory(0))).resolves.toBeDefined();
    await expect(loadKernels(createMemory(1 << 24))).resolves.toBeDefined();
  });

  it('rejects a workspace that cannot be had', () => {
    const one = { kernelRows: 1, kernelColumns: 1, strideRows: 1, strideColumns: 1 };
    const shape = { ...one, dilationRows: 1, dilationColumns: 1, outRows: 65536, outColumns: 65536 };
    expect(() => scratchBytes({ ...shape, channels: 64, filters: 16 })).toThrow(RangeError);
  });
});
