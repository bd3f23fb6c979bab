/** Quantised operators of every operator set that has them, in every way that is read, against ONNX Runtime: bit for bit. */
import { describe, expect, it } from 'vitest';
import { readOnnx } from '../../src/import/onnx/read.ts';
import { Draw } from './comparison.test-helper.ts';
import { integerDifferences, refusal } from './import.test-helper.ts';
import { type QuantisedCase, quantisedCases, quantisedModel } from './onnx-audit-quantised.test-helper.ts';
import { encodeModel } from './onnx-file.test-helper.ts';
import { inputFor, type MapType, randomModel, type Style } from './onnx-quantised-models.test-helper.ts';

/** Types of feature maps: all in the newest set, the only one with 16 bits; in the others by turns. */
const typesOf = (opset: number, { linear, narrow = false }: QuantisedCase): readonly MapType[] =>
  opset === 21
    ? linear || narrow
      ? ['int8', 'uint8']
      : ['int8', 'uint8', 'int16', 'uint16']
    : [opset % 2 === 0 ? 'int8' : 'uint8'];

async function auditQuantised(one: QuantisedCase, opset: number, type: MapType): Promise<void> {
  const { operator, form, linear, refused } = one;
  const draw = new Draw(opset);
  const what = `${operator}, ${form}, operator set ${opset}, ${type}`;
  const style: Style = { general: false, linear, type, opset, evenZeros: linear };
  const { model, shape } = quantisedModel(draw, style, one);
  if (refused !== undefined) {
    let line = '';
    try {
      readOnnx(encodeModel(model), 'm.onnx');
    } catch (error) {
      line = refusal(error);
    }
    expect(line, what).toMatch(refused);
    return;
  }
  const { different, values } = await integerDifferences(model, inputFor(draw, shape, !linear, type)).catch(
    (error: unknown) => {
      throw new Error(`${what}: ${String(error)} ${JSON.stringify(model.nodes)}`);
    },
  );
  expect(values, what).toBeGreaterThan(0);
  expect(different, what).toBe(0);
}

describe('quantised operators by operator set, powers of two: bit for bit', () => {
  it.each(
    quantisedCases.map((one) => [one.operator, one.form, one] as const),
  )('%s: %s', async (_a, _b, one) => {
    for (let opset = one.from; opset <= one.to; opset++) {
      for (const type of typesOf(opset, one)) await auditQuantised(one, opset, type);
    }
  });

  it('whole networks, drawn in each set', async () => {
    for (let opset = 10; opset <= 21; opset++) {
      for (const linear of [false, true]) {
        const draw = new Draw(100 + opset);
        for (let i = 0; i < 4; i++) {
          const type = draw.pick(['int8', 'uint8'] as const);
          const style: Style = { general: false, linear, type, opset, evenZeros: linear };
          const { model, input } = randomModel(draw, style);
          const { different } = await integerDifferences(model, input);
          expect(different, `operator set ${opset}, ${JSON.stringify(model.nodes)}`).toBe(0);
        }
      }
    }
  });
});
