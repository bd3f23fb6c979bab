/** Whatever is wrong with what the user gave: one line, exit code 2, and no file is left. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { condensim, edge256, edge256Text, example, projectFile, scratch } from './command-line.ts';

const output = scratch('results/out.json');
const exampleText = readFileSync(example, 'utf8');
const machineText = edge256Text;

function model(name: string, from: string | RegExp, to: string): string {
  const text = exampleText.replace(from, to);
  expect(text).not.toBe(exampleText);
  return scratch(name, text);
}

function machine(name: string, from: string | RegExp, to: string): string {
  const text = machineText.replace(from, to);
  expect(text).not.toBe(machineText);
  return scratch(name, text);
}

const simulate = (...more: string[]) => [
  'simulate',
  '--model',
  example,
  '--hw',
  edge256,
  '--json',
  output,
  ...more,
];
const simulateModel = (path: string) => ['simulate', '--model', path, '--hw', edge256, '--json', output];
const simulateMachine = (path: string) => ['simulate', '--model', example, '--hw', path, '--json', output];

const png = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13]);

function truncatedWeights(): string {
  scratch('weights/shard', new Uint8Array(100));
  const weights = [{ name: 'conv1/filters', shape: [3, 3, 3, 16], dtype: 'float32' }];
  return scratch('weights/manifest.json', JSON.stringify([{ paths: ['shard'], weights }]));
}

const cases: [what: string, argv: () => string[], line: RegExp][] = [
  [
    'unknown key of a layer',
    () => simulateModel(model('layer-key.yaml', 'padding: 1', 'paddding: 1')),
    /layer-key\.yaml:\d+:\d+: .*paddding/,
  ],
  [
    'unknown key of a machine',
    () => simulateMachine(machine('hw-key.yaml', 'clockMHz', 'clockGHz')),
    /hw-key\.yaml:\d+:\d+: .*clock/,
  ],
  [
    'wrong type',
    () => simulateModel(model('type.yaml', 'filters: 16', 'filters: many')),
    /type\.yaml:\d+:\d+: .*filters.*expected/,
  ],
  [
    'wrong type in a machine',
    () => simulateMachine(machine('hw-type.yaml', 'clockMHz: 400', 'clockMHz: fast')),
    /hw-type\.yaml:\d+:\d+: .*clockMHz.*expected/,
  ],
  ['missing model', () => simulateModel('/nowhere/model.yaml'), /\/nowhere\/model\.yaml: cannot be read/],
  ['missing machine', () => simulateMachine('/nowhere/hw.yaml'), /\/nowhere\/hw\.yaml: cannot be read/],
  ['missing picture', () => simulate('--input', '/nowhere/a.png'), /\/nowhere\/a\.png: cannot be read/],
  [
    'missing picture that a timing run would not need',
    () => simulate('--mode', 'timing', '--input', '/nowhere/a.png'),
    /\/nowhere\/a\.png: cannot be read/,
  ],
  [
    'missing calibration picture',
    () => simulate('--calibrate', '/nowhere/a.png'),
    /\/nowhere\/a\.png: cannot be read/,
  ],
  ['missing weights', () => simulate('--weights', '/nowhere/w.json'), /\/nowhere\/w\.json: cannot be read/],
  ['folder as a model', () => simulateModel(dirname(example)), /is a folder, expected a model file/],
  ['truncated picture', () => simulate('--input', scratch('cut.png', png)), /cut\.png: is cut off/],
  [
    'no picture',
    () => simulate('--input', scratch('text.png', 'hello')),
    /text\.png: is neither PNG nor JPEG/,
  ],
  ['truncated weights', () => simulate('--weights', truncatedWeights()), /shard: holds 100 bytes, .* 1728/],
  [
    'a buffer too small for any tile',
    () => simulateMachine(machine('small.yaml', 'weight: { bytes: 18864 }', 'weight: { bytes: 1 }')),
    /layer 'conv1' doesn't fit machine 'edge-256'.*weight/,
  ],
  [
    '10^9 filters',
    () => simulateModel(model('filters.yaml', 'filters: 16', 'filters: 1000000000')),
    /filters\.yaml:\d+:\d+: .*expected/,
  ],
  [
    '10^9 input channels',
    () => simulateModel(model('channels.yaml', '[3, 16, 16]', '[1000000000, 16, 16]')),
    /channels\.yaml:\d+:\d+: .*expected/,
  ],
  ['unknown flag', () => simulate('--frobnicate'), /^condensim: unknown option '--frobnicate'/],
  ['mistyped flag', () => simulate('--moed', 'full'), /unknown option '--moed' \(Did you mean --mode\?\)/],
  ['unknown command', () => ['simulat'], /unknown command 'simulat' \(Did you mean simulate\?\)/],
  ['no command', () => [], /no command, expected one/],
  ['unknown mode', () => simulate('--mode', 'fast'), /--mode.*'fast' is invalid.*full, timing/],
  ['wrong fusion', () => simulate('--fusion', 'maybe'), /--fusion.*'maybe' is invalid.*on, off/],
  [
    'conventions of a network without virtual maps',
    () => ['compare', projectFile('models/tiny-yolov2.yaml'), '--conventions'],
    /--conventions: 0 of the networks have cross-channel pooling, expected one/,
  ],
  [
    'conventions on a machine that stores virtual maps anyway',
    () => [
      'compare',
      '--conventions',
      '--mode',
      'timing',
      '--hw',
      projectFile('hw-configs/edge-256-no-ccp.yaml'),
    ],
    /--conventions: 'condensation-net' has no virtual feature maps on machine 'edge-256-no-ccp', expected/,
  ],
  [
    'conventions that need a path into the feature buffer',
    () => [
      'compare',
      '--conventions',
      '--mode',
      'timing',
      '--hw',
      machine('still.yaml', 'moves: true', 'moves: false'),
    ],
    /machine 'edge-256' can't condense stored maps when they are read, expected dma.moves: true/,
  ],
  ['seed that is no number', () => simulate('--seed', 'x'), /--seed.*'x' is invalid.*integer/],
  ['seed out of range', () => simulate('--seed', '4294967296'), /--seed.*is invalid.*integer/],
  ['flag without its value', () => ['simulate', '--model'], /--model <file>' argument missing/],
  ['missing flag', () => ['simulate', '--model', example], /required option '--hw <file>' not specified/],
  ['missing argument', () => ['inspect'], /missing required argument 'model'/],
  ['too many arguments', () => ['inspect', example, example], /too many arguments/],
  [
    'wrong virtual feature maps',
    () => simulate('--virtual-feature-maps', 'maybe'),
    /'maybe' is invalid.*on, off/,
  ],
  [
    'threshold above 1',
    () => ['detect', '--model', example, '--hw', edge256, '--input', 'a.png', '--threshold', '2'],
    /--threshold.*'2' is invalid/,
  ],
  [
    'model that is no detector',
    () => ['detect', '--model', example, '--hw', edge256, '--input', 'a.png', '--json', output],
    /example\.yaml: is no detector/,
  ],
  [
    'program without a machine',
    () => ['inspect', example, '--program'],
    /--program: no machine, expected --hw/,
  ],
  [
    'JSON over a model',
    () => ['compare', '--mode', 'timing', '--json', model('kept.yaml', 'name: example', 'name: kept')],
    /--json.*is invalid/,
  ],
  [
    'second model missing',
    () => ['compare', example, '/nowhere/model.yaml', '--json', output],
    /\/nowhere\/model\.yaml: cannot be read/,
  ],
  [
    'JSON that cannot be written',
    () => ['inspect', example, '--json', scratch('a-file', 'x').concat('/out.json')],
    /a-file\/out\.json: cannot be written/,
  ],
  [
    'trace that cannot be written',
    () => simulate('--mode', 'timing', '--dram-trace', scratch('a-file', 'x').concat('/trace')),
    /a-file\/trace: cannot be written/,
  ],
  [
    'JSON into a folder',
    () => ['inspect', example, '--json', dirname(example)],
    /is a folder, expected a file/,
  ],
];

describe('bad input', () => {
  it.each(cases)('%s', async (_what, argv, line) => {
    const { code, stdout, stderr } = await condensim(...argv());
    expect(stderr).toMatch(line);
    expect(stderr.endsWith('\n')).toBe(true);
    expect(stderr.trimEnd()).not.toContain('\n');
    expect(stdout).toBe('');
    expect(code).toBe(2);
    expect(existsSync(output)).toBe(false);
    expect(readdirSync(dirname(output))).toEqual([]);
  });

  it('leaves the model alone that --json was pointed at', () => {
    expect(readFileSync(scratch('kept.yaml'), 'utf8')).toContain('layers:');
  });
});
