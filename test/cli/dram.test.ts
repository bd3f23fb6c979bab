/** `condensim dram`: what it prints and writes, and what it refuses. */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { SdramConfig } from '../../src/hw/dram/config.ts';
import { commandClasses, REF } from '../../src/hw/dram/constraints.ts';
import { MemoryController } from '../../src/hw/dram/controller.ts';
import { readDramFile } from '../../src/import/dram-yaml.ts';
import { type DramReport, dramReportSchema } from '../../src/report/dram-report.ts';
import { type RunReport, runReportSchema } from '../../src/report/run-report.ts';
import { randomTrace } from '../oracles/dramsim3-traces.test-helper.ts';
import { goldenTraces, traceLine } from '../oracles/golden-traces.test-helper.ts';
import { condensim, condensimProcess, edge256, projectFile, scratch } from './command-line.ts';

const presetFile = (name: string): string => projectFile(`hw-configs/dram/${name}.yaml`);
const lpddr4 = presetFile('lpddr4-2400-x32');
const ddr4 = presetFile('ddr4-2400-x16');
const ddr4Text = readFileSync(ddr4, 'utf8');

interface Request {
  readonly address: number;
  readonly write: boolean;
  readonly clock: number;
}

/** A memory file like the DDR4 preset's with some of its text replaced. */
function changedDdr4(name: string, ...changes: [from: string, to: string][]): string {
  let text = ddr4Text;
  for (const [from, to] of changes) {
    expect(text).toContain(from);
    text = text.replace(from, to);
  }
  return scratch(name, text);
}

const traceFile = (name: string, requests: readonly Request[]): string =>
  scratch(name, requests.map(traceLine).join(''));

/** Reads and writes of a small range with pauses: every path of the controller. */
const mixedRequests = (seed: number, requests = 3000): Request[] =>
  randomTrace({
    ...{ seed, requests, span: 4096, base: 0, writePercent: 40, gap: 8, pauses: 4 },
    ...{ halfLines: false, sequentialPercent: 50 },
  });

/** Replays with JSON on stdout; nothing may be said on stderr. */
async function replayed(config: string, trace: string, ...more: string[]): Promise<DramReport> {
  const { code, stdout, stderr } = await condensim(
    ...['dram', '--config', config, '--trace', trace, '--json', ...more],
  );
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return dramReportSchema.parse(JSON.parse(stdout));
}

/** Lines of the commands up to the end of all data, channel by channel. */
function expectedCommands(config: SdramConfig, requests: readonly Request[]): string[][] {
  const { channels, bankGroups, banksPerGroup } = config.organisation;
  const perRank = bankGroups * banksPerGroup;
  const issued: { clock: number; line: string }[][] = Array.from({ length: channels }, () => []);
  const controller = new MemoryController(config, (channel) => ({
    command(clock, command, bank, row, column) {
      const inRank = bank % perRank;
      const place = command === REF ? [-1, -1] : [Math.floor(inRank / banksPerGroup), inRank % banksPerGroup];
      const words = [clock, commandClasses[command], Math.floor(bank / perRank), ...place, row, column];
      issued[channel]!.push({ clock, line: (channels > 1 ? [channel, ...words] : words).join(' ') });
    },
  }));
  for (const { write, address, clock } of requests) controller.offer(write, address, 0, clock);
  for (const channel of controller.channels) channel.finishWork();
  const finish = Math.max(...controller.channels.map((channel) => channel.finish));
  return controller.channels.map((channel, index) => {
    channel.advanceTo(finish);
    return issued[index]!.filter(({ clock }) => clock <= finish).map(({ line }) => line);
  });
}

const linesOf = (text: string): string[] => text.trimEnd().split('\n');

describe('condensim dram', () => {
  it('prints a table, or JSON alone, or both', async () => {
    const trace = traceFile('f.trc', goldenTraces.f_npu_mix!());
    const argv = ['dram', '--config', ddr4, '--trace', trace];
    const { code, stdout: table, stderr } = await condensim(...argv);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(table).toMatch(/^clocks +101,076$/m);
    expect(table).toMatch(/^useful bandwidth \(GB\/s\) +15\.2514$/m);
    expect(table).toMatch(/^ {2}never drained +8$/m);
    for (const line of linesOf(table)) expect(line.length, line).toBeLessThanOrEqual(80);
    const file = scratch('new/folder/f.json');
    expect((await condensim(...argv, '--json', file)).stdout).toBe(table);
    const { stdout: json } = await condensim(...argv, '--json');
    expect(readFileSync(file, 'utf8')).toBe(json);
    expect(JSON.parse(json)).toMatchObject({
      name: 'DDR4-2400 x16',
      channels: 1,
      finishCycles: 101_076,
      reads: 15_000,
      writes: 5_000,
      writeBursts: 4_992,
      rowHits: 19_138,
      activates: 859,
      precharges: 845,
      refreshes: 21,
      undrainedWrites: 8,
      wrappedRequests: 0,
    });
  });

  it('gives figures that agree with each other', async () => {
    const report = await replayed(lpddr4, traceFile('mixed.trc', mixedRequests(5)));
    expect(report.reads + report.writes).toBe(3000);
    expect(report.readBursts).toBe(report.reads - report.mergedReads - report.forwardedReads);
    expect(report.writeBursts).toBe(report.writes - report.absorbedWrites - report.undrainedWrites);
    const bursts = report.readBursts + report.writeBursts;
    expect(report.rowHits).toBeLessThan(bursts);
    expect(report.busUtilization).toBeCloseTo((8 * bursts) / report.finishCycles, 12);
    expect(report.usefulBandwidthGBps).toBeCloseTo((64 * bursts * 1.2) / report.finishCycles, 12);
    expect(report.peakBandwidthGBps).toBeCloseTo(9.6, 12);
    const { p50, p95, p99 } = report.readLatencyPercentiles;
    expect(p50).toBeLessThanOrEqual(p95);
    expect(p95).toBeLessThanOrEqual(p99);
    for (const name of ['mergedReads', 'forwardedReads', 'absorbedWrites', 'turnarounds'] as const) {
      expect(report[name], name).toBeGreaterThan(0);
    }
  });

  it("reads Ramulator's traces", async () => {
    const requests = goldenTraces.c_rw_alternate!(2000);
    const words = requests.map(({ address, write }) => `${write ? 'ST' : 'LD'} ${address}\n`).join('');
    const theirs = await replayed(lpddr4, scratch('c.ld', words), '--trace-format', 'ramulator');
    expect(theirs).toEqual(await replayed(lpddr4, traceFile('c.trc', requests)));
    expect(theirs.reads + theirs.writes).toBe(2000);
  });

  it('replays a long gzip trace as it does the plain one', async () => {
    const requests = goldenTraces.f_npu_mix!(300_000);
    const plain = traceFile('long.trc', requests);
    const packed = scratch('long.trc.gz', new Uint8Array(gzipSync(new Uint8Array(readFileSync(plain)))));
    const report = await replayed(lpddr4, plain);
    expect(report.reads + report.writes).toBe(300_000);
    expect(await replayed(lpddr4, packed)).toEqual(report);
  });

  it('replays what a simulation wrote to the very same commands', async () => {
    const [trace, commands] = [scratch('run.trc'), scratch('run.cmd')];
    const model = projectFile('models/tiny-face-detector.yaml');
    const { stdout } = await condensim(
      ...['simulate', '--model', model, '--hw', edge256, '--mode', 'timing'],
      ...['--dram-trace', trace, '--json'],
    );
    const { totals }: RunReport = runReportSchema.parse(JSON.parse(stdout));
    const report = await replayed(lpddr4, trace, '--commands', commands);
    // The replay goes on to drain writes after the run's last cycle; at 400 MHz one cycle is three clocks.
    const names = linesOf(readFileSync(commands, 'utf8'))
      .map((line) => line.split(' '))
      .filter(([clock]) => Number(clock) < 3 * totals.cycles)
      .map(([, name]) => name);
    const count = (...wanted: string[]): number => names.filter((name) => wanted.includes(name!)).length;
    const { memory, activates, refreshes, rowHits } = totals.dram;
    expect(count('ACT')).toBe(activates);
    expect(count('REF')).toBe(refreshes);
    expect(count('PRE')).toBe(memory!.precharges);
    expect(count('RD', 'WR')).toBe(memory!.busBytes / 64);
    expect(report.rowHits).toBeGreaterThanOrEqual(rowHits);
    expect(activates).toBeGreaterThan(1000);
  });
});

describe('--commands', () => {
  const variants: [what: string, changes: [from: string, to: string][]][] = [
    ['two ranks', []],
    ['closed pages', [['pagePolicy: open', 'pagePolicy: closed']]],
    ['no refresh', [['refresh: staggered', 'refresh: none']]],
    [
      'four channels that alternate',
      [
        ['channels: 1', 'channels: 4'],
        ['rochrababgco', 'rorababgcoch'],
      ],
    ],
    [
      'two channels that change with the row',
      [
        ['channels: 1', 'channels: 2'],
        ['rochrababgco', 'rorababgchco'],
      ],
    ],
  ];

  it.each(variants)('writes what is counted: %s', async (what, changes) => {
    const config = changedDdr4(`${what}.yaml`, ...changes);
    const requests = mixedRequests(what.length);
    const file = scratch(`${what}.cmd`);
    const report = await replayed(config, traceFile(`${what}.trc`, requests), '--commands', file);
    const lines = linesOf(readFileSync(file, 'utf8'));
    const expected = expectedCommands(readDramFile(config), requests);
    if (expected.length === 1) {
      expect(lines).toEqual(expected[0]);
    } else {
      for (const [channel, own] of expected.entries()) {
        expect(lines.filter((line) => line.startsWith(`${channel} `))).toEqual(own);
        expect(own.length).toBeGreaterThan(100);
      }
    }
    const names = lines.map((line) => /[A-Z]+/.exec(line)![0]);
    const count = (...wanted: string[]): number => names.filter((name) => wanted.includes(name)).length;
    expect(count('ACT')).toBe(report.activates);
    expect(count('PRE')).toBe(report.precharges);
    expect(count('REF')).toBe(report.refreshes);
    expect(count('RD', 'RDA')).toBe(report.readBursts);
    expect(count('WR', 'WRA')).toBe(report.writeBursts);
  });

  it('writes the refreshes of a pause if data follow, and none after the last data', async () => {
    // The pauses hold many refreshes of both ranks; the last write is never drained.
    const requests = [
      { address: 0, write: false, clock: 0 },
      { address: 0x4_0000, write: false, clock: 1_000_003 },
      { address: 64, write: false, clock: 20_000_000 },
      { address: 128, write: true, clock: 30_000_000 },
    ];
    const file = scratch('pause.cmd');
    const report = await replayed(ddr4, traceFile('pause.trc', requests), '--commands', file);
    const lines = linesOf(readFileSync(file, 'utf8'));
    expect(lines).toEqual(expectedCommands(readDramFile(ddr4), requests)[0]);
    const refreshes = lines.filter((line) => line.includes('REF'));
    expect(refreshes.length).toBe(Math.floor(20_000_000 / 4680));
    expect(report.refreshes).toBe(refreshes.length);
    expect(lines.at(-1)).toMatch(/ RD 0 0 0 -1 1$/);
    expect(report.undrainedWrites).toBe(1);
  });

  it('packs a file whose name ends in .gz, and replaces what was there', async () => {
    const trace = traceFile('packed.trc', goldenTraces.d_random_read!(40_000));
    const [plain, packed] = [scratch('packed.cmd'), scratch('packed.cmd.gz', 'before')];
    await replayed(lpddr4, trace, '--commands', plain);
    await replayed(lpddr4, trace, '--commands', packed);
    const text = readFileSync(plain, 'utf8');
    expect(text.length).toBeGreaterThan(2_000_000);
    expect(gunzipSync(new Uint8Array(readFileSync(packed))).toString('latin1')).toBe(text);
  });

  it('writes a file without a line where there is no command', async () => {
    const file = scratch('none.cmd');
    const report = await replayed(lpddr4, scratch('one.trc', '0x0 WRITE 0\n'), '--commands', file);
    expect(report).toMatchObject({ finishCycles: 0, undrainedWrites: 1, usefulBandwidthGBps: 0 });
    expect(readFileSync(file, 'utf8')).toBe('');
  });
});

describe('an address beyond the memory', () => {
  const capacity = 2 ** 30;
  const inside = mixedRequests(9, 500);
  const beyond = inside.map((request, index) =>
    index % 3 === 0 ? request : { ...request, address: request.address + capacity * (index % 5) },
  );

  it('wraps, and that is said once', async () => {
    // Where no two addresses are of the same data the wrapped trace is the very same.
    const lines = goldenTraces.d_random_read!(2000).map(({ address }, index) => ({
      address: address + capacity * (index >= 1000 ? 3 : 0),
      write: false,
      clock: 0,
    }));
    const [wrapped, same] = [
      traceFile('wrapped.trc', lines),
      traceFile(
        'same.trc',
        lines.map((line) => ({ ...line, address: line.address % capacity })),
      ),
    ];
    const { code, stdout, stderr } = await condensim(
      ...['dram', '--config', lpddr4, '--trace', wrapped, '--json'],
    );
    expect(code).toBe(0);
    expect(stderr).toBe(
      `${wrapped}:1001: note: 1000 addresses beyond the memory's 1073741824 bytes wrapped around, the first of them in this line\n`,
    );
    const report = await replayed(lpddr4, same);
    expect(JSON.parse(stdout)).toEqual({ ...report, wrappedRequests: 1000 });
  });

  it('counts each such request, reads and writes', async () => {
    const { stderr } = await condensim(
      ...['dram', '--config', lpddr4, '--trace', traceFile('beyond.trc', beyond), '--json'],
    );
    const count = beyond.filter(({ address }) => address >= capacity).length;
    expect(stderr).toContain(`beyond.trc:2: note: ${count} addresses beyond`);
    expect(linesOf(stderr).length).toBe(1);
  });
});

describe('bad input', () => {
  const results = scratch('results');
  mkdirSync(results);
  const trace = scratch('good.trc', '0x0 READ 0\n');
  const long = '0x12340 READ 5\n'.repeat(300_000);
  const dram = (...argv: string[]): string[] => ['dram', ...argv];
  const withConfig = (config: string): string[] => dram('--config', config, '--trace', trace);
  const withTrace = (name: string, content: string | Uint8Array, ...more: string[]): string[] =>
    dram('--config', lpddr4, '--trace', scratch(name, content), ...more);
  const packed = new Uint8Array(gzipSync(long));

  const cases: [what: string, argv: () => string[], line: RegExp][] = [
    ['no memory', () => dram('--trace', trace), /required option '--config <file>' not specified/],
    ['no trace', () => dram('--config', lpddr4), /required option '--trace <file>' not specified/],
    [
      'missing memory',
      () => withConfig('/nowhere.yaml'),
      /^\/nowhere\.yaml: cannot be read .* a memory file/,
    ],
    ['a machine as memory', () => withConfig(edge256), /edge-256\.yaml:\d+:\d+: .*'kind'.* ideal, sdram/],
    [
      'an ideal memory',
      () => withConfig(scratch('i.yaml', 'kind: ideal\nbandwidthMBps: 1\nlatencyNs: 1\ncapacityMiB: 1\n')),
      /i\.yaml:1:7: kind: an ideal memory has no banks and no controller, expected sdram/,
    ],
    [
      'a row cycle shorter than its parts',
      () => withConfig(changedDdr4('trc.yaml', ['  tRAS: 39', '  tRC: 55\n  tRAS: 39'])),
      /trc\.yaml:\d+:8: tRC: 55 is less than tRAS \+ tRP = 39 \+ 17, expected at least 56/,
    ],
    [
      'a row closed before it is open',
      () => withConfig(changedDdr4('tras.yaml', ['  tRAS: 39', '  tRAS: 16'])),
      /tras\.yaml:\d+:9: tRAS: .*expected at least tRCD, 17/,
    ],
    [
      'no time between refreshes',
      () => withConfig(changedDdr4('trefi.yaml', ['tREFI: 9360', 'tREFI: 437'])),
      /trefi\.yaml:\d+:10: tREFI: .*expected more than/,
    ],
    [
      'an unknown timing',
      () => withConfig(changedDdr4('unknown.yaml', ['  tRCD: 17', '  tRDC: 17'])),
      /unknown\.yaml:\d+:3: unknown key 'tRDC'.*did you mean 'tRCD'/,
    ],
    [
      'a mapping that leaves out the rank',
      () => withConfig(changedDdr4('map.yaml', ['rochrababgco', 'rochbabgco'])),
      /map\.yaml:\d+:\d+: addressMapping: .*expected/,
    ],
    ['missing trace', () => dram('--config', lpddr4, '--trace', '/no.trc'), /^\/no\.trc: cannot be read/],
    ['a folder as trace', () => dram('--config', lpddr4, '--trace', dirname(trace)), /is a folder/],
    ['a trace of no byte', () => withTrace('zero.trc', ''), /zero\.trc: holds no requests, expected lines/],
    ['malformed first line', () => withTrace('a.trc', '0x0 RAED 0\n'), /a\.trc:1:5: 'RAED' stands here/],
    ['malformed last line', () => withTrace('b.trc', `${long}0x0`), /b\.trc:300001:4: the line ends here/],
    ['gzip cut off', () => withTrace('c.trc', packed.subarray(0, packed.length - 9)), /c\.trc: is cut off/],
    ['gzip cut off at once', () => withTrace('d.trc', packed.subarray(0, 5)), /d\.trc: is cut off/],
    [
      'the other format',
      () => withTrace('e.trc', 'LD 64\n'),
      /e\.trc:1:1: 'LD' stands here, expected 0x and hexadecimal digits/,
    ],
    [
      'the other format, said',
      () => withTrace('f.trc', '0x40 READ 0\n', '--trace-format', 'ramulator'),
      /f\.trc:1:1: '0x40' stands here, expected LD or ST/,
    ],
    [
      'unknown format',
      () => withTrace('g.trc', '', '--trace-format', 'dramsim'),
      /'dramsim' is invalid.*condensim/,
    ],
    [
      'the trace as commands',
      () => withTrace('kept.trc', '0x0 READ 0\n', '--commands', scratch('kept.trc')),
      /--commands: .*kept\.trc is read here, expected another file/,
    ],
    [
      'the trace as JSON',
      () => withTrace('kept.trc', '0x0 READ 0\n', '--json', scratch('kept.trc')),
      /--json: .*kept\.trc is read here, expected another file/,
    ],
    [
      'commands that cannot be written',
      () => dram('--config', lpddr4, '--trace', trace, '--commands', `${trace}/commands`),
      /good\.trc\/commands: cannot be written/,
    ],
    [
      'commands into a folder',
      () => dram('--config', lpddr4, '--trace', trace, '--commands', results),
      /results: is a folder, expected a file to write/,
    ],
  ];

  it.each(cases)('%s', async (_what, argv, line) => {
    const given = argv();
    const more = ['--commands', '--json'].flatMap((flag) =>
      given.includes(flag) ? [] : [flag, `${results}/${flag}`],
    );
    const { code, stdout, stderr } = await condensim(...given, ...more);
    expect(stderr).toMatch(line);
    expect(linesOf(stderr).length).toBe(1);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(readdirSync(results)).toEqual([]);
  });

  it('keeps the commands of the replay before', async () => {
    const file = scratch('before/commands', 'before');
    const { code } = await condensim(...withTrace('late.trc', `${long}nonsense`, '--commands', file));
    expect(code).toBe(2);
    expect(readFileSync(file, 'utf8')).toBe('before');
    expect(readdirSync(dirname(file))).toEqual(['commands']);
    expect(readFileSync(scratch('kept.trc'), 'utf8')).toBe('0x0 READ 0\n');
  });

  it('exits with 2 as a process too', async () => {
    const outcome = await condensimProcess(withTrace('p.trc', packed.subarray(0, 1000)));
    expect(outcome).toEqual({
      code: 2,
      stdout: '',
      stderr: `${scratch('p.trc')}: is cut off, expected a whole gzip file\n`,
    });
  });
});
