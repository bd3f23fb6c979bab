import { describe, expect, it } from 'vitest';
import { buildGraph } from '../../graph/build.ts';
import type { Graph, Shape } from '../../graph/graph.ts';
import { findOperator } from '../index.ts';

function single(shape: Shape, attributes: object): Graph {
  return buildGraph({
    name: 'test',
    description: '',
    input: { name: 'in', shape, preparation: { mean: [0, 0, 0], divisor: 255 } },
    nodes: [{ name: 'conv', op: findOperator('convolution')!, attributes, inputs: ['in'] }],
  });
}

/** Straight from the definition, bounds tested at every tap. */
function plain(
  shape: Shape,
  output: Shape,
  input: Int8Array,
  weights: Int8Array,
  stride: number,
  pad: number,
  size: number,
) {
  const result: number[] = [];
  for (let f = 0; f < output[0]; f++) {
    for (let y = 0; y < output[1]; y++) {
      for (let x = 0; x < output[2]; x++) {
        let total = 0;
        for (let c = 0; c < shape[0]; c++) {
          for (let ky = 0; ky < size; ky++) {
            for (let kx = 0; kx < size; kx++) {
              const iy = y * stride + ky - pad;
              const ix = x * stride + kx - pad;
              if (iy < 0 || ix < 0 || iy >= shape[1] || ix >= shape[2]) continue;
              total +=
                input[(c * shape[1] + iy) * shape[2] + ix]! *
                weights[((f * shape[0] + c) * size + ky) * size + kx]!;
            }
          }
        }
        result.push(total);
      }
    }
  }
  return result;
}

describe('convolution', () => {
  it('sums products as written down', () => {
    const shape: Shape = [3, 7, 6];
    const node = single(shape, { filters: 4, kernel: 3, stride: 2, padding: 1 }).nodes[0]!;
    const input = Int8Array.from({ length: 126 }, (_, i) => ((i * 37) % 256) - 128);
    const weights = Int8Array.from({ length: 108 }, (_, i) => ((i * 53) % 255) - 127);
    const map = { shape, data: input, zeroPoint: 0, rounding: 'half-even' as const };
    const array = {
      weights,
      accumulator: { bits: 32, overflow: 'saturate' as const },
      mayOverflow: false,
      overflows: { count: 0 },
    };
    const sums = node.op.integer!(node.attributes, [map], node.outputShape, array);
    expect([...sums]).toEqual(plain(shape, node.outputShape, input, weights, 2, 1, 3));
  });

  it('takes padding as real zero and saturates tap by tap', () => {
    const shape: Shape = [1, 1, 3];
    const node = single(shape, { filters: 1, kernel: [1, 3], padding: { left: 1, right: 1 } }).nodes[0]!;
    const map = { shape, data: Uint8Array.of(10, 200, 0), zeroPoint: 10, rounding: 'half-even' as const };
    const run = (overflow: 'saturate' | 'wrap') => {
      const overflows = { count: 0 };
      const array = {
        weights: Int8Array.of(1, 1, 1),
        accumulator: { bits: 8, overflow },
        mayOverflow: true,
        overflows,
      };
      return [...node.op.integer!(node.attributes, [map], node.outputShape, array), overflows.count];
    };
    // Less the zero point: 0, 190, -10. A saturated 127 then loses 10 again.
    expect(run('saturate')).toEqual([127, 117, 117, 3]);
    expect(run('wrap')).toEqual([-66, -76, -76, 3]);
  });

  it("pads 'same' at the bottom and right first", () => {
    const node = single([3, 224, 224], { filters: 8, kernel: 3, stride: 2, padding: 'same' }).nodes[0]!;
    expect(node.outputShape).toEqual([8, 112, 112]);
    const { machine } = node.op;
    if (machine.stage !== 'array') throw new Error('not an array operator');
    expect(machine.convolution(node.attributes, [3, 224, 224], node.outputShape).padding).toEqual({
      top: 0,
      bottom: 1,
      left: 0,
      right: 1,
    });
  });

  it('shapes parameters as TensorFlow does and reads the entries it is told to', () => {
    const depthwise = single([12, 9, 9], {
      kernel: [3, 5],
      groups: 'depthwise',
      bias: false,
      weightNames: { filters: 'conv1/depthwise_filter' },
    });
    expect(depthwise.nodes[0]!.parameters.map(({ name, shape }) => [name, shape])).toEqual([
      ['conv1/depthwise_filter', [3, 5, 12, 1]],
    ]);
    const grouped = single([12, 9, 9], { kernel: 3, groups: 4, filters: 8 });
    expect(grouped.nodes[0]!.parameters.map(({ name, shape }) => [name, shape])).toEqual([
      ['conv/filters', [3, 3, 3, 8]],
      ['conv/bias', [8]],
    ]);
  });

  it('hands the machine its weights filter by filter', () => {
    const node = single([2, 3, 3], { filters: 3, kernel: [1, 2], bias: false }).nodes[0]!;
    const { machine } = node.op;
    if (machine.stage !== 'array') throw new Error('not an array operator');
    // [row 0][column kx][channel c][filter f] holds 100 f + 10 c + kx.
    const values = new Float32Array(12);
    for (let kx = 0; kx < 2; kx++) {
      for (let c = 0; c < 2; c++) {
        for (let f = 0; f < 3; f++) values[(kx * 2 + c) * 3 + f] = 100 * f + 10 * c + kx;
      }
    }
    const { weights, bias } = machine.weights(node.attributes, [2, 3, 3], () => values);
    expect([...weights]).toEqual([0, 1, 10, 11, 100, 101, 110, 111, 200, 201, 210, 211]);
    expect([...bias]).toEqual([0, 0, 0]);
  });

  it.each([
    [{ filters: 1e9, kernel: 3 }, /^conv: filters: .*65536/],
    [{ kernel: 3 }, /^conv: filters: missing/],
    [{ filters: 5, kernel: 3, groups: 'depthwise' }, /keeps its channels/],
    [{ filters: 4, kernel: 3, groups: 2 }, /groups: 2 does not divide 3 channels/],
    [{ filters: 4, kernel: 11 }, /a window of 11 rows does not fit into 10/],
    [{ filters: 4, kernel: 3, padding: 3 }, /nothing but padding/],
    [{ filters: 4, kernel: 2, dilation: 20, padding: 12 }, /nothing but padding/],
    [{ filters: 4, kernel: 3, padding: 'full' }, /^conv: padding: does not fit; expected: cells around/],
    [{ filters: 4, kernel: 3, colour: 1 }, /colour/],
    [{ filters: 4, kernel: 0 }, /^conv: kernel: /],
  ])('refuses %j in one line', (attributes, message) => {
    expect(() => single([3, 10, 10], attributes)).toThrow(message);
    try {
      single([3, 10, 10], attributes);
    } catch (error) {
      expect((error as Error).name).toBe('InputError');
      expect((error as Error).message).not.toContain('\n');
    }
  });
});
