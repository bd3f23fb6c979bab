/** Machines of the size of known ones: each runs networks bit for bit, and whole ones in timing mode. */
import { describe, expect, it } from 'vitest';
import { condensim, example, projectFile } from './command-line.ts';

async function json(...argv: string[]) {
  const { code, stdout, stderr } = await condensim(...argv, '--json', '--quiet');
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return JSON.parse(stdout);
}

describe.each([
  ['ethos-u55-256-like', 256, 1],
  ['nvdla-small-like', 64, 1],
  ['nvdla-256-like', 256, 1],
  ['eyeriss-like', 168, 2],
  ['gemmini-16x16-like', 256, 1],
])('%s', (name, elements, bytes) => {
  const hw = projectFile(`hw-configs/${name}.yaml`);

  it('runs the example bit for bit', async () => {
    const bits = String(8 * bytes);
    const report = await json(
      'validate',
      '--model',
      example,
      '--hw',
      hw,
      '--activation-bits',
      bits,
      '--weight-bits',
      bits,
    );
    expect(report).toMatchObject({
      acceleratorEqualsInteger: true,
      bytesEqualClosedForm: true,
      timingEqualsFull: true,
    });
  });

  it('runs Tiny-YOLOv2, its maps and weights moved once at least', async () => {
    const model = projectFile('models/tiny-yolov2.yaml');
    const { totals, model: network } = await json(
      'simulate',
      '--model',
      model,
      '--hw',
      hw,
      '--mode',
      'timing',
    );
    expect(totals.cycles).toBeGreaterThan(network.macs / elements);
    expect(totals.cycles).toBeLessThan((3 * network.macs) / elements);
    expect(totals.dram.totalBytes).toBeGreaterThan(network.parameters);
  });
});
