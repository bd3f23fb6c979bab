/** Every operator of every operator set from 7 to 21, in every way that is read, against ONNX Runtime; what is refused, in one line. */
import { describe, expect, it } from 'vitest';
import { readOnnx } from '../../src/import/onnx/read.ts';
import { Draw } from './comparison.test-helper.ts';
import { floatOutputs, randomInput, refusal, relativeError, runtimeOutputs } from './import.test-helper.ts';
import { auditCases } from './onnx-audit-cases.test-helper.ts';
import { encodeModel, type FileModel } from './onnx-file.test-helper.ts';
import { type AuditCase, type Parts, randoms, single } from './onnx-spelling.test-helper.ts';

const modelOf = ({ dims = [1, 4, 6, 7], nodes, constants }: Parts, opset: number): FileModel => ({
  opset,
  nodes,
  ...(constants && { constants }),
  inputs: { x: ['float32', dims] },
  outputs: ['y'],
});

/** Runs the draws of a case in one operator set. @returns how many were read */
async function audit({ operator, form, make, count, refused, sometimes }: AuditCase, opset: number) {
  const draw = new Draw(opset);
  let read = 0;
  for (let i = 0; i < count; i++) {
    const model = modelOf(make(opset, draw), opset);
    const bytes = encodeModel(model);
    const what = `${operator}, ${form}, operator set ${opset}, ${JSON.stringify(model.nodes)}`;
    let imported: ReturnType<typeof readOnnx>;
    try {
      imported = readOnnx(bytes, 'm.onnx');
    } catch (error) {
      const line = refusal(error);
      expect(refused, `${what}: ${line}`).toBeDefined();
      expect(line, what).toMatch(refused!);
      continue;
    }
    expect(refused !== undefined && !sometimes, `${what} is read`).toBe(false);
    read++;
    const input = randomInput(draw, model);
    const [ours] = await floatOutputs(imported, input);
    const [theirs] = Object.values(
      await runtimeOutputs(model, input, bytes).catch((error: unknown) => {
        throw new Error(`${what}: ONNX Runtime: ${String(error)}`);
      }),
    );
    expect(ours!.length, what).toBe(theirs!.data.length);
    expect(relativeError(ours!, theirs!.data), what).toBeLessThan(1e-4);
  }
  return read;
}

describe('operators by operator set', () => {
  it('initialisers are inputs as well in files of the first sets', async () => {
    const draw = new Draw(3);
    const w = randoms(draw, [2, 4, 1, 1]);
    const model = modelOf(single('Conv', {}, { w }), 7);
    const listed: FileModel = { ...model, inputs: { ...model.inputs, w: ['float32', [2, 4, 1, 1]] } };
    const input = randomInput(draw, model);
    const [ours] = await floatOutputs(readOnnx(encodeModel(listed), 'm.onnx'), input);
    const [theirs] = Object.values(await runtimeOutputs(model, input, encodeModel(listed)));
    expect(relativeError(ours!, theirs!.data)).toBeLessThan(1e-4);
  });

  it.each(auditCases.map((one) => [one.operator, one.form, one] as const))('%s: %s', async (_a, _b, one) => {
    let read = 0;
    for (let opset = one.from; opset <= one.to; opset++) read += await audit(one, opset);
    const all = (one.to - one.from + 1) * one.count;
    if (one.refused === undefined) expect(read).toBe(all);
    else if (one.sometimes) expect(read).toBeGreaterThan(all / 4);
  });
});
