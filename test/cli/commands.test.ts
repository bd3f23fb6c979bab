/** What the commands print, and that their figures agree with each other. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { run } from '../../src/cli/main.ts';
import { readPicture } from '../../src/import/picture.ts';
import { type Comparison, comparisonSchema, featureMapBytes } from '../../src/report/comparison.ts';
import { detectionReportSchema } from '../../src/report/detection-table.ts';
import { graphReportSchema } from '../../src/report/graph-table.ts';
import { type RunReport, runReportSchema } from '../../src/report/run-report.ts';
import { validationReportSchema } from '../../src/report/validation-table.ts';
import {
  condensim,
  condensimProcess,
  edge256,
  example,
  projectFile,
  scratch,
  sharedFile,
  sharedIsHere,
} from './command-line.ts';

/** Runs a command that must succeed without a word on stderr. */
async function succeed(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await condensim(...argv);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return stdout;
}

const on256 = ['--model', example, '--hw', edge256];

describe('condensim', () => {
  it('explains itself', async () => {
    const help = await succeed('--help');
    for (const command of ['compare', 'simulate', 'validate', 'detect', 'inspect']) {
      expect(help).toContain(command);
      expect(await succeed(command, '--help')).toContain('--json');
    }
    expect(await succeed('--version')).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it('says in one line what is our own fault, with the stack only on demand', async () => {
    const fail = async (...argv: string[]) => {
      let stderr = '';
      const stdout = {
        write() {
          throw new Error('no\nluck');
        },
      };
      const write = (text: string) => {
        stderr += text;
      };
      return { code: await run(argv, { stdout, stderr: { write } }), stderr };
    };
    expect(await fail('inspect', example)).toEqual({
      code: 70,
      stderr: 'condensim: internal error: no luck\n',
    });
    const verbose = await fail('inspect', example, '--verbose');
    expect(verbose.code).toBe(70);
    expect(verbose.stderr).toMatch(/^condensim: internal error: no luck\nError: no\nluck\n\s+at /);
  });

  it('fits 80 columns and uses no colour where there is no terminal', async () => {
    const outputs = [
      await succeed('compare', '--mode', 'timing'),
      await succeed('compare', example, example, example, example, '--mode', 'timing'),
      await succeed(
        'simulate',
        '--model',
        projectFile('models/condensation-net.yaml'),
        '--hw',
        edge256,
        '--mode',
        'timing',
      ),
      await succeed('inspect', projectFile('models/separable-tiny-yolov2-face.yaml'), '--hw', edge256),
      await succeed('validate', ...on256),
    ];
    for (const line of outputs.flatMap((output) => output.split('\n'))) {
      expect(line.length, line).toBeLessThanOrEqual(80);
      expect(line).not.toContain('\u001b');
    }
  });

  it('says what it does with --verbose, on stderr', async () => {
    const { code, stdout, stderr } = await condensim('simulate', ...on256, '--verbose', '--json');
    expect(code).toBe(0);
    expect(stderr).toContain('example: running\n');
    runReportSchema.parse(JSON.parse(stdout));
  });
});

describe('compare', () => {
  const timing = async () => {
    const text = await succeed('compare', '--mode', 'timing', '--json');
    return { text, comparison: comparisonSchema.parse(JSON.parse(text)) };
  };

  it('runs the default networks, the one that condenses both ways', async () => {
    const { text, comparison } = await timing();
    const { runs, virtualFeatureMaps } = comparison;
    expect(runs.map((run) => [run.model.name, run.virtualFeatureMaps])).toEqual([
      ['tiny-yolov2', 'none'],
      ['condensation-net', 'on chip'],
      ['condensation-net', 'stored'],
    ]);
    for (const { totals, layers } of runs) {
      const { byKind, totalBytes, readBytes, writeBytes } = totals.dram;
      expect(Object.values(byKind).reduce((a, b) => a + b)).toBe(totalBytes);
      expect(readBytes + writeBytes).toBe(totalBytes);
      expect(layers.reduce((sum, layer) => sum + layer.cycles, 0)).toBe(totals.cycles);
      for (const { cycles, computeCycles, stalls } of [...layers, totals]) {
        expect(Object.values(stalls).reduce((a, b) => a + b, computeCycles)).toBe(cycles);
      }
    }
    const [tiny, onChip, stored] = runs as [RunReport, RunReport, RunReport];
    expect(onChip.totals.peakFeatureMapBytes).toBe(tiny.totals.peakFeatureMapBytes);
    expect(stored.totals.peakFeatureMapBytes).toBeGreaterThan(tiny.totals.peakFeatureMapBytes);
    expect(onChip.totals.dram.byKind.virtualFeatureMaps).toBe(0);
    expect(stored.totals.dram.byKind.virtualFeatureMaps).toBeGreaterThan(0);
    expect(virtualFeatureMaps.featureMapTrafficSaving).toBe(
      1 - featureMapBytes(onChip) / featureMapBytes(stored),
    );
    // Without data there is nothing to compare. The gates of this machine come with the package.
    expect(virtualFeatureMaps.outputsEqual).toBeNull();
    expect(virtualFeatureMaps.extraGates).toBeGreaterThan(1000);
    expect(virtualFeatureMaps.extraGateFraction).toBeLessThan(0.01);
    expect((await timing()).text).toBe(text);
  });

  it('finds outputs equal bit for bit, and timing mode equal to full mode', async () => {
    const compare = async (mode: string): Promise<Comparison> =>
      comparisonSchema.parse(
        JSON.parse(await succeed('compare', example, '--hw', edge256, '--mode', mode, '--json')),
      );
    const [full, timed] = [await compare('full'), await compare('timing')];
    expect(full.virtualFeatureMaps.outputsEqual).toBe(true);
    expect(full.runs[0]!.outputs[0]!.sha256).toMatch(/^[0-9a-f]{64}$/);
    const figures = ({ runs }: Comparison) =>
      runs.map(({ mode: _mode, outputs: _outputs, model, ...rest }) => ({ ...rest, model: model.name }));
    expect(figures(timed)).toEqual(figures(full));
  });

  it('shows the figures with their conventions, and the claims as claims', async () => {
    const file = scratch('comparison.json');
    const table = await succeed('compare', '--mode', 'timing', '--json', file);
    expect(table).toMatch(/^Network +tiny-yolov2 +condensation-net +condensation-net$/m);
    expect(table).toMatch(/^virtual feature maps +none +on chip +stored$/m);
    expect(table).toMatch(/^memory bandwidth saved, convention unknown +26\.5 %$/m);
    expect(table).toContain('paper claims');
    expect(table).toMatch(/extra gates +[\d,]+ \(0\.\d\d %\) +1\.0 %/);
    expect(table).toContain('convention a');
    for (const run of comparisonSchema.parse(JSON.parse(readFileSync(file, 'utf8'))).runs) {
      for (const convention of run.conventions) {
        expect(table.replace(/\s+/g, ' ')).toContain(convention);
      }
    }
  });

  it('takes a machine without the unit: one run a network, maps stored', async () => {
    const machine = projectFile('hw-configs/edge-256-no-ccp.yaml');
    const text = await succeed('compare', example, '--hw', machine, '--mode', 'timing', '--json');
    const { runs, virtualFeatureMaps } = comparisonSchema.parse(JSON.parse(text));
    expect(runs.map((run) => run.virtualFeatureMaps)).toEqual(['stored']);
    expect(virtualFeatureMaps.featureMapTrafficSaving).toBeNull();
    expect(await succeed('compare', example, '--hw', machine, '--mode', 'timing')).toContain(
      'needs both runs',
    );
  });
});

describe('simulate', () => {
  it('prints tables, or JSON alone, or both', async () => {
    const table = await succeed('simulate', ...on256);
    expect(table).toMatch(
      /^conv1 +convolution +batchNormalization1\+leakyRelu1\+co… +[0-9,]+ +[0-9.]+ +1,904$/m,
    );
    const json = await succeed('simulate', ...on256, '--json');
    const report = runReportSchema.parse(JSON.parse(json));
    expect(report.outputs.map(({ name, shape }) => [name, shape])).toEqual([['conv2', [10, 8, 8]]]);
    const file = scratch('new/folder/run.json');
    expect(await succeed('simulate', ...on256, '--json', file)).toBe(table);
    expect(readFileSync(file, 'utf8')).toBe(json);
  });

  it('gives the same outputs with virtual feature maps on chip and stored, others with another seed', async () => {
    const outputs = async (...more: string[]) => {
      const text = await succeed('simulate', ...on256, '--json', ...more);
      return runReportSchema.parse(JSON.parse(text)).outputs;
    };
    const onChip = await outputs();
    expect(await outputs('--virtual-feature-maps', 'off')).toEqual(onChip);
    expect(await outputs('--seed', '2')).not.toEqual(onChip);
  });

  it('writes a line for every DRAM request', async () => {
    const file = scratch('dram.trace');
    const model = projectFile('models/tiny-face-detector.yaml');
    const argv = ['--model', model, '--hw', edge256, '--mode', 'timing', '--json', '--dram-trace', file];
    const { totals } = runReportSchema.parse(JSON.parse(await succeed('simulate', ...argv)));
    const lines = readFileSync(file, 'utf8').split('\n');
    expect(lines.pop()).toBe('');
    // Transactions of at most 64 bytes that cross no multiple of 64: each is one burst.
    expect(lines.length).toBe(totals.dram.transactions);
    let last = 0;
    for (const line of lines) {
      const cycle = Number(/^0x[0-9a-f]+ (?:READ|WRITE) (\d+)$/.exec(line)?.[1]);
      expect(cycle).toBeGreaterThanOrEqual(last);
      last = cycle;
    }
    // Three clocks of the memory a cycle.
    expect(last).toBeLessThan(3 * totals.cycles);
  });
});

describe('validate', () => {
  it('passes on the example, on a picture and stored maps too', async () => {
    const report = validationReportSchema.parse(JSON.parse(await succeed('validate', ...on256, '--json')));
    expect(report).toMatchObject({
      acceleratorEqualsInteger: true,
      mismatches: 0,
      tensorsCompared: 2,
      bytesEqualClosedForm: true,
      timingEqualsFull: true,
      inputs: ['seeded picture (seed 1)'],
    });
    expect(report.layers.map(({ name }) => name)).toEqual(['conv1', 'condense1', 'pool1', 'conv2']);
    for (const layer of report.layers) expect(layer.sqnrDb).toBeGreaterThan(20);
    const table = await succeed('validate', ...on256, '--virtual-feature-maps', 'off');
    expect(table).toMatch(/bit for bit +yes$/m);
  });
});

describe('inspect', () => {
  it('shows the graph, its totals after folding, and its schedule on a machine', async () => {
    const table = await succeed('inspect', example);
    expect(table).toMatch(/^conv1 +convolution +16 x 16 x 16 +110,592 +432 +4,096$/m);
    expect(table).toMatch(/^after folding +115,712 +538$/m);
    const report = graphReportSchema.parse(
      JSON.parse(await succeed('inspect', example, '--hw', edge256, '--json')),
    );
    expect(report.schedule!.steps.map(({ name, writes }) => [name, writes])).toEqual([
      ['conv1', 'pool1'],
      ['conv2', 'conv2'],
    ]);
  });
});

describe('detect', () => {
  const photograph = sharedFile('images/astronaut.png');
  const weights = sharedFile('models/tiny-face-detector/tiny_face_detector_model-weights_manifest.json');
  const detect = (machine: string) => [
    'detect',
    '--model',
    projectFile('models/tiny-face-detector.yaml'),
    '--hw',
    projectFile(`hw-configs/${machine}.yaml`),
  ];

  it.skipIf(!sharedIsHere).each([
    ['multipliers', 'edge-256'],
    ['shifts', 'edge-64'],
  ])(
    'finds the face, requantised by %s (skipped where ../shared with trained weights is absent)',
    async (form, machine) => {
      const out = scratch(`faces-${form}.png`);
      const text = await succeed(
        ...detect(machine),
        '--weights',
        weights,
        '--input',
        photograph,
        '--out',
        out,
        '--json',
      );
      const { detections, cycles } = detectionReportSchema.parse(JSON.parse(text));
      expect(cycles).toBeGreaterThan(0);
      expect(detections.length).toBe(1);
      const box = detections[0]!;
      expect(box.class).toBe('face');
      expect(Math.abs(box.score - 0.973)).toBeLessThanOrEqual(0.03);
      const common =
        Math.max(0, Math.min(box.left + box.width, 277) - Math.max(box.left, 163)) *
        Math.max(0, Math.min(box.top + box.height, 185) - Math.max(box.top, 75));
      expect(common / (box.width * box.height + 114 * 110 - common)).toBeGreaterThanOrEqual(0.8);
      const [before, after] = [readPicture(photograph), readPicture(out)];
      expect([after.width, after.height]).toEqual([before.width, before.height]);
      expect(after.data).not.toEqual(before.data);
      expect(
        await succeed(...detect(machine), '--weights', weights, '--input', photograph, '--threshold', '1'),
      ).toContain('nothing detected');
    },
  );
});

describe('as a process', () => {
  it('prints pure JSON from any folder and exits with 0', async () => {
    const { code, stdout, stderr } = await condensimProcess(['compare', example, '--json']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(comparisonSchema.parse(JSON.parse(stdout)).virtualFeatureMaps.outputsEqual).toBe(true);
  });

  it('exits with 2 on bad input', async () => {
    const { code, stdout, stderr } = await condensimProcess(['inspect', '/nowhere.yaml']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^\/nowhere\.yaml: [^\n]*\n$/);
  });

  it('ends quietly when nobody reads on', async () => {
    const model = projectFile('models/condensation-net.yaml');
    const { stderr } = await condensimProcess(['inspect', model, '--hw', edge256, '--program'], 1);
    expect(stderr).toBe('');
  });
});
