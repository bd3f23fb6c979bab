/** @fileoverview Whole layers against one unpacked convolution per group and the definition of requantisation. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { requantise } from '../core/fixed-point.ts';
import { HostConvolution, type HostLayer } from './host-convolution.ts';
import {
  describeKernels,
  expectMemory,
  type Layout,
  place,
  readElement,
  view,
  writeElement,
} from './kernels.test-helper.ts';
import { packedWeightBytes } from './kernels.ts';

describeKernels('host convolution', (kernels) => {
  function check(layer: HostLayer, layout: Layout): void {
    const { groups, channels, filters, rows, columns, kernelRows, kernelColumns, input, output } = layer;
    const pixels = layer.outRows * layer.outColumns;
    const host = new HostConvolution(layer);
    expect(host.packedBytes).toBe(groups * packedWeightBytes(layer));
    const at = place(
      {
        features: groups * channels * rows * columns * input.bytes,
        weights: groups * channels * kernelRows * kernelColumns * filters * layer.weightBytes,
        packed: host.packedBytes,
        parameters: 12 * groups * filters,
        out: groups * filters * pixels * output.bytes,
        workspace: host.workspaceBytes,
      },
      layout,
    );
    const channel = (index: number) => ({
      ...{ bias: 50 - index, positiveMultiplier: 30000 + index, negativeMultiplier: 3000, shift: 24 },
    });
    for (let i = 0; i < groups * filters; i++) {
      const { bias, positiveMultiplier, negativeMultiplier, shift } = channel(i);
      view.setInt32(at.parameters + 12 * i, bias, true);
      view.setUint16(at.parameters + 12 * i + 4, positiveMultiplier, true);
      view.setUint16(at.parameters + 12 * i + 6, negativeMultiplier, true);
      view.setUint32(at.parameters + 12 * i + 8, shift, true);
    }
    const sumAt = (group: number, filter: number, oy: number, ox: number): number => {
      let sum = 0;
      for (let c = 0; c < channels; c++) {
        for (let ky = 0; ky < kernelRows; ky++) {
          for (let kx = 0; kx < kernelColumns; kx++) {
            const y = oy * layer.strideRows + ky * layer.dilationRows - layer.padTop;
            const x = ox * layer.strideColumns + kx * layer.dilationColumns - layer.padLeft;
            if (y < 0 || y >= rows || x < 0 || x >= columns) continue;
            const from = (((group * channels + c) * rows + y) * columns + x) * input.bytes;
            const tap = ((group * channels + c) * kernelRows + ky) * kernelColumns + kx;
            const weight = (tap * filters + filter) * layer.weightBytes;
            sum +=
              (readElement(view, at.features + from, input) - input.zeroPoint) *
              readElement(view, at.weights + weight, { bytes: layer.weightBytes, unsigned: 0 });
          }
        }
      }
      return sum;
    };
    const run = () => {
      host.pack(kernels(), at.weights, at.packed);
      host.run(kernels(), at.features, at.packed, at.parameters, at.out, at.workspace);
    };
    const expected = (image: DataView): void => {
      for (let i = 0; i < groups * filters * pixels; i++) {
        const filter = Math.floor(i / pixels);
        const [oy, ox] = [Math.floor((i % pixels) / layer.outColumns), i % layer.outColumns];
        const sum = sumAt(Math.floor(filter / filters), filter % filters, oy, ox);
        const wrapped = (sum + channel(filter).bias) | 0;
        const value = requantise(wrapped, channel(filter), { ...output, rounding: 'half-up' });
        writeElement(image, at.out + i * output.bytes, value, output.bytes);
      }
    };
    expectMemory(
      run,
      expected,
      { address: at.packed, size: host.packedBytes },
      { address: at.workspace, size: host.workspaceBytes },
    );
  }

  const byte = { input: { bytes: 1, unsigned: 1, zeroPoint: 77 }, weightBytes: 1 } as const;
  const word = { input: { bytes: 2, unsigned: 0, zeroPoint: 0 }, weightBytes: 2 } as const;
  const output = { bytes: 1, low: 3, high: 250, zeroPoint: 60, rounding: 1 } as const;
  const same = { strideRows: 1, strideColumns: 1, dilationRows: 1, dilationColumns: 1 };

  it('equals the definition for any geometry', () => {
    const size = (max: number) => fc.integer({ min: 1, max });
    const cases = fc.record({
      ...{
        groups: size(3),
        channels: size(5),
        filters: size(12),
        kernelRows: size(3),
        kernelColumns: size(3),
      },
      ...{ strideRows: size(2), strideColumns: size(2), outRows: size(7), outColumns: size(9) },
      numbers: fc.constantFrom(byte, word),
    });
    const property = fc.property(cases, fc.integer({ min: 1 }), ({ numbers, ...shape }, seed) => {
      const rows = shape.outRows * shape.strideRows;
      const columns = shape.outColumns * shape.strideColumns;
      const geometry = {
        ...shape,
        dilationRows: 1,
        dilationColumns: 1,
        rows,
        columns,
        padTop: 1,
        padLeft: 1,
      };
      check({ ...geometry, ...numbers, output }, { fill: 'random', seed });
    });
    fc.assert(property, { seed: 81, numRuns: 100 });
  });

  it('runs in bands where a layer is large', () => {
    const kernel = { kernelRows: 3, kernelColumns: 3, padTop: 1, padLeft: 1, groups: 1 };
    const map = { rows: 61, columns: 260, outRows: 61, outColumns: 260 };
    const layer = { ...same, ...kernel, ...map, ...byte, output, channels: 3, filters: 24 };
    expect(new HostConvolution(layer).workspaceBytes).toBeLessThan(4 * 24 * 61 * 260);
    check(layer, { fill: 'random', seed: 9 });
  });
});
