/** ONNX models through the commands, and out of them. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { RunReport } from '../../src/report/run-report.ts';
import { encodeModel } from '../oracles/onnx-file.test-helper.ts';
import { condensim, edge256, example, ok, scratch, sharedFile, sharedIsHere } from './command-line.ts';
import { quantisedOnnx, symbolicOnnx } from './networks.test-helper.ts';

const machine = ['--hw', edge256];

async function simulated(model: string, ...more: string[]): Promise<RunReport> {
  return JSON.parse(await ok('simulate', '--model', model, ...machine, ...more, '--json')) as RunReport;
}

const symbolic = symbolicOnnx();
const quantised = quantisedOnnx();

describe('ONNX models in', () => {
  it('symbolic dimensions are given by name', async () => {
    const report = await simulated(symbolic, '--dim', 'height=12', '--dim', 'width=20');
    expect(report.outputs![0]!.shape).toEqual([4, 12, 20]);
    expect(report.layers[0]!.name).toBe('model/conv/Conv');
    const { code, stderr } = await condensim(
      'simulate',
      '--model',
      symbolic,
      ...machine,
      '--dim',
      'height=12',
    );
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /symbolic\.onnx: input 'x' has a symbolic dimension 3, expected --dim width=<size>\n$/,
    );
    const wrong = await condensim('inspect', symbolic, '--dim', 'height');
    expect(wrong.code).toBe(2);
  });

  it('quantised ones keep their scales, on every command', async () => {
    const report = await simulated(quantised);
    expect(report.outputs![0]!.shape).toEqual([4, 7, 7]);
    expect(await ok('validate', '--model', quantised, ...machine)).toContain('bit for bit');
    expect(await ok('inspect', quantised, ...machine)).toContain('QLinearConv_c');
    const both = await ok('compare', quantised, quantised, ...machine, '--json');
    const { runs } = JSON.parse(both) as { runs: RunReport[] };
    expect(runs[0]!.outputs).toEqual(report.outputs);
    expect((await simulated(quantised, '--mode', 'timing')).totals.cycles).toBe(report.totals.cycles);
  });

  it('quantised ones are saved and loaded as others are', async () => {
    const saved = scratch('saved.quantised');
    const first = await simulated(quantised, '--save-quantised', saved);
    expect((await simulated(quantised, '--quantised', saved)).outputs).toEqual(first.outputs);
  });

  it('refuses what does not go with a file that has it all', async () => {
    for (const flag of ['--equalise', '--correct-bias']) {
      const { code, stderr } = await condensim('simulate', '--model', quantised, ...machine, flag);
      expect(code).toBe(2);
      expect(stderr).toMatch(/brings its own scales and integer weights/);
    }
    const { code, stderr } = await condensim(
      'simulate',
      '--model',
      symbolic,
      ...machine,
      '--weights',
      'w.json',
    );
    expect(code).toBe(2);
    expect(stderr.trim().split('\n').length).toBe(1);
  });

  it('says what is wrong with a file in one line', async () => {
    const unknown = scratch(
      'unknown.onnx',
      encodeModel({
        nodes: [{ op: 'Elu', name: 'odd', inputs: ['x'], outputs: ['y'] }],
        inputs: { x: ['float32', [1, 3, 4, 4]] },
        outputs: ['y'],
      }),
    );
    const one = await condensim('inspect', unknown);
    expect(one.code).toBe(2);
    expect(one.stderr).toMatch(
      /^\S+unknown\.onnx: node 'odd' \(Elu\): is not read here; supported: .*Conv.*\n$/,
    );
    const cut = scratch('cut.onnx', readFileSync(symbolic).subarray(0, 200) as Uint8Array<ArrayBuffer>);
    const two = await condensim('inspect', cut);
    expect(two.code).toBe(2);
    expect(two.stderr).toMatch(/^\S+cut\.onnx: byte \d+: .*cut off.*\n$/);
  });
});

describe('ONNX models out', () => {
  let reference: RunReport;
  beforeAll(async () => {
    reference = await simulated(example);
  });

  it('real numbers: the same network, quantised anew to the same integers', async () => {
    const path = scratch('example.onnx');
    await ok('export', '--model', example, '--out', path);
    expect((await simulated(path)).outputs).toEqual(reference.outputs);
  });

  it('quantised: the same integers, cycles and bytes', async () => {
    const path = scratch('example-quantised.onnx');
    await ok('export', '--model', example, '--qdq', ...machine, '--out', path);
    const again = await simulated(path);
    expect(again.outputs).toEqual(reference.outputs);
    expect(again.totals.cycles).toBe(reference.totals.cycles);
    expect(again.totals.dram.totalBytes).toBe(reference.totals.dram.totalBytes);
  });

  it('a saved quantised network as well', async () => {
    const saved = scratch('example.quantised');
    const path = scratch('from-saved.onnx');
    await simulated(example, '--save-quantised', saved);
    await ok('export', '--model', example, '--quantised', saved, '--out', path);
    expect((await simulated(path)).outputs).toEqual(reference.outputs);
  });

  it('needs a machine to quantise for', async () => {
    const { code, stderr } = await condensim(
      'export',
      '--model',
      example,
      '--qdq',
      '--out',
      scratch('no.onnx'),
    );
    expect(code).toBe(2);
    expect(stderr).toBe('--qdq: no machine, expected --hw <file> too\n');
  });
});

describe.runIf(sharedIsHere)('the trained face detector', () => {
  it('finds the face from its quantised ONNX file as from the YAML', async () => {
    const weights = sharedFile('models/tiny-face-detector/tiny_face_detector_model-weights_manifest.json');
    const picture = sharedFile('images/astronaut.png');
    const model = 'models/tiny-face-detector.yaml';
    const path = scratch('face.onnx');
    await ok(
      'export',
      '--model',
      model,
      '--weights',
      weights,
      '--qdq',
      ...machine,
      '--input',
      picture,
      '--out',
      path,
    );
    const detect = async (...argv: string[]) =>
      (
        JSON.parse(await ok('detect', ...argv, ...machine, '--input', picture, '--json')) as {
          detections: object[];
        }
      ).detections;
    const found = await detect('--model', path);
    expect(found.length).toBe(1);
    expect(found).toEqual(await detect('--model', model, '--weights', weights));
  });
});
