/** `import`: networks of other tools as model files and weights that compute the same; `inspect --graph`: as drawings. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { RunReport } from '../../src/report/run-report.ts';
import { edge256, ok, refused, scratch } from './command-line.ts';
import { darknetCfg, quantisedOnnx, symbolicOnnx, tfjsModel } from './networks.test-helper.ts';

async function simulated(model: string, ...more: string[]): Promise<RunReport> {
  return JSON.parse(await ok('simulate', '--model', model, '--hw', edge256, ...more, '--json')) as RunReport;
}

const sizes = ['--dim', 'height=9', '--dim', 'width=14'];

describe.each([
  ['ONNX', symbolicOnnx, sizes],
  ['quantised ONNX', quantisedOnnx, []],
  ['Darknet', darknetCfg, []],
  ['TensorFlow.js', tfjsModel, []],
] as const)('import of %s', (name, make, dims) => {
  const out = scratch(`imported/${name}.yaml`);

  it('makes a model file and weights that run as the original does, byte by byte', async () => {
    const original = make();
    expect(await ok('import', original, '--out', out, ...dims)).toBe('');
    expect(existsSync(out.replace('.yaml', '.safetensors'))).toBe(true);
    const theirs = await simulated(original, ...dims);
    const ours = await simulated(out);
    expect(theirs.outputs!.length).toBeGreaterThan(0);
    expect(ours.outputs).toEqual(theirs.outputs);
    expect(ours.layers).toEqual(theirs.layers);
    expect(ours.totals).toEqual(theirs.totals);
  });

  it('makes the same bytes again, and from its own files', async () => {
    await ok('import', make(), '--out', out, ...dims);
    const weights = out.replace('.yaml', '.safetensors');
    const first = [readFileSync(out), readFileSync(weights)];
    await ok('import', make(), '--out', out, ...dims);
    expect([readFileSync(out), readFileSync(weights)]).toEqual(first);
    const again = scratch(`again/${name}.yaml`);
    await ok('import', out, '--out', again);
    expect([readFileSync(again), readFileSync(again.replace('.yaml', '.safetensors'))]).toEqual(first);
  });

  it('has other outputs with other weights', async () => {
    // The comparison above would say nothing if weights did not matter.
    const original = make();
    await ok('import', original, '--out', out, ...dims);
    const path = out.replace('.yaml', '.safetensors');
    const bytes = readFileSync(path);
    const header = 8 + Number(bytes.readBigUint64LE(0));
    scratch(`other/${name}.safetensors`, bytes.map((byte, i) => (i < header ? byte : byte ^ (i % 4 === 2 ? 0x20 : 0)))); // biome-ignore format: one line
    const other = scratch(`other/${name}.yaml`, readFileSync(out, 'utf8'));
    expect((await simulated(other)).outputs).not.toEqual((await simulated(original, ...dims)).outputs);
  });
});

describe('import', () => {
  it('writes nothing for a network without weights, or under another ending', async () => {
    const bare = scratch('bare.cfg', '[net]\nwidth=8\nheight=8\n[convolutional]\nfilters=2\nsize=1\n');
    expect(await refused('import', bare, '--out', scratch('none/bare.yaml'))).toMatch(
      /bare\.cfg: holds no weights, expected --weights <file> too/,
    );
    expect(await refused('import', quantisedOnnx(), '--out', scratch('none/q.onnx'))).toMatch(
      /q\.onnx: expected a name that ends in \.yaml/,
    );
    expect(existsSync(scratch('none/bare.yaml'))).toBe(false);
    expect(existsSync(scratch('none/q.onnx'))).toBe(false);
  });
});

describe('inspect --graph', () => {
  it('draws for Graphviz', async () => {
    const text = await ok('inspect', darknetCfg(), '--graph', 'dot');
    expect(text).toMatch(/^digraph "small" \{\n {2}node \[shape=box\];\n/);
    expect(text).toContain('label="convolutional0\\nconvolution"');
    expect(text).toMatch(/n\d+ -> n\d+ \[label="4 x 12 x 20"\];/);
    expect(text).toMatch(/n\d+ -> out0 \[label="4 x 24 x 40"\];\n\}\n$/);
    // Every arrow ends at boxes that there are.
    const boxes = new Set([...text.matchAll(/^ {2}(\w+) \[label=/gm)].map(([, box]) => box));
    const arrows = [...text.matchAll(/^ {2}(\w+) -> (\w+) /gm)];
    expect(arrows.length).toBeGreaterThan(5);
    for (const [, from, to] of arrows) expect([boxes.has(from), boxes.has(to)]).toEqual([true, true]);
  });

  it('draws for Mermaid, whatever the names', async () => {
    const text = await ok('inspect', symbolicOnnx(), ...sizes, '--graph', 'mermaid');
    expect(text).toMatch(
      /^flowchart TB\n {2}n0\(\["x"\]\)\n {2}n1\["model\/conv\/Conv<br\/>convolution"\]\n/,
    );
    expect(text).toContain('  n0 -->|"3 x 9 x 14"| n1\n');
    expect(text).toMatch(/n2 -->\|"4 x 9 x 14"\| out0\n$/);
    expect(await refused('inspect', quantisedOnnx(), '--graph', 'svg')).toMatch(
      /Allowed choices are dot, mermaid/,
    );
  });
});

describe('--json in front of a model', () => {
  it('does not cost the user a TensorFlow.js model or manifest, and writes over reports', async () => {
    const model = tfjsModel('precious/model.json');
    const before = readFileSync(model, 'utf8');
    expect(await refused('compare', '--hw', edge256, '--json', model)).toMatch(
      /Expected a file to write JSON to; put --json behind the models/,
    );
    expect(readFileSync(model, 'utf8')).toBe(before);
    const { weightsManifest } = JSON.parse(before) as { weightsManifest: object };
    const manifest = scratch('precious/weights_manifest.json', JSON.stringify(weightsManifest, undefined, 2));
    expect(await refused('compare', '--hw', edge256, '--json', manifest)).toMatch(/Expected a file to write/);
    const report = scratch('precious/report.json');
    for (let i = 0; i < 2; i++) await ok('inspect', model, '--json', report);
    expect((JSON.parse(readFileSync(report, 'utf8')) as { layers: object[] }).layers.length).toBe(2);
  });
});
