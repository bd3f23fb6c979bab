/** SCALE-Sim's files on the command line: topologies as networks, configurations as machines. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { condensim, edge256, scratch } from './command-line.ts';

async function ok(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await condensim(...argv);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return stdout;
}

async function refused(...argv: string[]): Promise<string> {
  const { code, stderr } = await condensim(...argv);
  expect(code).toBe(2);
  expect(stderr.trim().split('\n').length).toBe(1);
  return stderr;
}

const convolutions =
  'Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n';

const small = `${convolutions}Conv1, 12, 14, 3, 3, 3, 8, 2,\nConv2, 9, 9, 1, 1, 8, 20, 2,\nDP3, 7, 7, 3, 3, 4, 1, 1,\n`;
const products = 'Layer, M, N, K,\nL0, 40, 24, 30,\nL1, 1, 50, 64,\n';

describe('a topology', () => {
  it.each([
    ['convolutions', small, ['Conv1', 'Conv2', 'DP3'], 9_072 + 4_000 + 900],
    ['products', products, ['L0', 'L1'], 28_800 + 3_200],
  ])('of %s runs as it is, and the same once it is imported', async (name, text, layers, macs) => {
    const csv = scratch(`${name}.csv`, text);
    const yaml = scratch(`${name}.yaml`);
    expect(await ok('import', csv, '--out', yaml, '--quiet')).toBe('');
    expect(existsSync(scratch(`${name}.safetensors`))).toBe(false);
    const run = (model: string, ...more: string[]) =>
      ok('simulate', '--model', model, '--hw', edge256, '--json', '--quiet', ...more);
    const direct = await run(csv);
    expect(await run(yaml)).toBe(direct);
    const report = JSON.parse(direct);
    expect(report.model.macs).toBe(macs);
    expect(report.layers.map((layer: { name: string }) => layer.name)).toEqual(layers);
    expect(report.outputs.map((output: { name: string }) => output.name)).toEqual(layers);
    const timing = JSON.parse(await run(csv, '--mode', 'timing'));
    expect(timing.totals.cycles).toBe(report.totals.cycles);
  });

  it('is validated, compared and inspected as any network', async () => {
    const csv = scratch('any.csv', small);
    const validation = JSON.parse(await ok('validate', '--model', csv, '--hw', edge256, '--json', '--quiet'));
    expect(validation.acceleratorEqualsInteger).toBe(true);
    expect(validation.bytesEqualClosedForm).toBe(true);
    const comparison = JSON.parse(
      await ok('compare', csv, csv, '--hw', edge256, '--mode', 'timing', '--json', '--quiet'),
    );
    expect(comparison.runs.length).toBe(2);
    expect(await ok('inspect', csv)).toMatch(/Conv2\/input +externalMap +8 x 9 x 9/);
    expect(await ok('inspect', csv, '--graph', 'dot')).toContain('externalMap');
    expect(await refused('export', '--model', csv, '--out', scratch('any.onnx'))).toContain(
      'Conv2/input: externalMap cannot be written as ONNX',
    );
  });

  it('keeps its file when --json stands in front of it', async () => {
    const csv = scratch('kept.csv', small);
    expect(await refused('compare', '--hw', edge256, '--json', csv)).toContain(
      'Expected a file to write JSON to',
    );
    expect(readFileSync(csv, 'utf8')).toBe(small);
  });

  it('is refused in one line with its place', async () => {
    const csv = scratch(
      'bad.csv',
      `${convolutions}Conv1, 12, 14, 3, 3, 3, 8, 2,\nConv2, 9, 9, 11, 1, 8, 20, 2,\n`,
    );
    const message = `${csv}:3:14: Filter Height: 11 is larger than the input of 9 rows`;
    const out = scratch('bad.yaml');
    expect(await refused('import', csv, '--out', out)).toContain(message);
    expect(existsSync(out)).toBe(false);
    expect(await refused('simulate', '--model', csv, '--hw', edge256)).toContain(message);
    expect(await refused('inspect', csv, '--dim', 'n=3')).toContain('has no symbolic dimension');
  });

  it('has a line a layer in the model file', async () => {
    const yaml = scratch('lines.yaml');
    await ok('import', scratch('lines.csv', small), '--out', yaml, '--quiet');
    expect(parse(readFileSync(yaml, 'utf8')).layers).toEqual([
      {
        op: 'convolution',
        name: 'Conv1',
        filters: 8,
        kernel: 3,
        stride: 2,
        padding: { top: 0, bottom: 1, left: 0, right: 1 },
        bias: false,
      },
      { op: 'externalMap', name: 'Conv2/input', shape: [8, 9, 9], seed: 2 },
      { op: 'convolution', name: 'Conv2', filters: 20, kernel: 1, stride: 2, bias: false },
      { op: 'externalMap', name: 'DP3/input', shape: [4, 7, 7], seed: 3 },
      { op: 'convolution', name: 'DP3', filters: 4, kernel: 3, groups: 4, bias: false },
    ]);
  });
});
