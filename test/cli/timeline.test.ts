/** `simulate --timeline` and `--vcd`: the files against their formats' rules, and against what the report says. */
import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { microseconds } from '../../src/cli/timeline.ts';
import { readMachineFile } from '../../src/import/machine-yaml.ts';
import { condensim, edge256, example, projectFile, scratch } from './command-line.ts';

interface Event {
  readonly pid: number;
  readonly tid?: number;
  readonly ph: string;
  readonly name: string;
  readonly ts?: number;
  readonly dur?: number;
  readonly id?: string;
  readonly cat?: string;
  readonly bp?: string;
  readonly args?: Record<string, number & string>;
}

interface Report {
  readonly hardware: { readonly name: string };
  totals: {
    cycles: number;
    dram: { readBytes: number; writeBytes: number; totalBytes: number; memory: { busBytes: number } | null };
    commands: number;
    computeCycles: number;
    stalls: Record<string, number>;
  };
}

async function timeline(hw: string, model: string, name: string, ...more: string[]) {
  const path = scratch(name);
  const json = scratch(`${name}.report`);
  const flags = [
    '--model',
    model,
    '--hw',
    hw,
    '--mode',
    'timing',
    '--json',
    json,
    '--timeline',
    path,
    ...more,
  ];
  const outcome = await condensim('simulate', ...flags);
  expect(outcome.stderr).toBe('');
  const bytes = new Uint8Array(readFileSync(path));
  const text = new TextDecoder().decode(name.endsWith('.gz') ? new Uint8Array(gunzipSync(bytes)) : bytes);
  const { traceEvents } = JSON.parse(text) as { traceEvents: Event[] };
  return { events: traceEvents, report: JSON.parse(readFileSync(json, 'utf8')) as Report, text };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

const edge64 = projectFile('hw-configs/edge-64.yaml');
const faces = projectFile('models/tiny-face-detector.yaml');
const runs = [
  ['SDRAM', 400, () => timeline(edge256, example, 'sdram.json')],
  ['SDRAM, many tiles', 400, () => timeline(edge256, faces, 'faces.json.gz')],
  ['ideal memory', 200, () => timeline(edge64, example, 'ideal.json')],
] as const;

describe.each(runs)('timeline, %s', (_name, clockMHz, make) => {
  it('keeps the rules of the format, and adds up to the report', async () => {
    const { events, report } = await make();
    const threads = new Map(
      events
        .filter(({ name }) => name === 'thread_name')
        .map(({ tid, args }) => [args!.name as string, tid!]),
    );
    expect(new Set(events.map(({ ph }) => ph))).toEqual(new Set(['M', 'X', 'C', 's', 'f']));
    const on = (track: string) => events.filter(({ ph, tid }) => ph === 'X' && tid === threads.get(track));

    for (const [track, tid] of threads) {
      const timed = events.filter((event) => event.tid === tid && event.ts !== undefined);
      for (const [index, { ts }] of timed.entries()) {
        expect(ts, track).toBeGreaterThanOrEqual(timed[index - 1]?.ts ?? 0);
      }
      let end = 0;
      for (const { ts, dur } of on(track)) {
        const from = Math.round(1000 * ts!);
        expect(from, track).toBeGreaterThanOrEqual(end);
        expect(dur, track).toBeGreaterThanOrEqual(0);
        end = from + Math.round(1000 * dur!);
      }
    }
    // Counters of one name follow each other.
    for (const name of new Set(events.filter(({ ph }) => ph === 'C').map((event) => event.name))) {
      const times = events.filter((event) => event.ph === 'C' && event.name === name).map(({ ts }) => ts!);
      expect(times, name).toEqual([...times].sort((a, b) => a - b));
    }

    // Every arrow has one beginning and one end, not before it, and both lie in slices of their tracks.
    const starts = new Map(events.filter(({ ph }) => ph === 's').map((event) => [event.id!, event]));
    const ends = new Map(events.filter(({ ph }) => ph === 'f').map((event) => [event.id!, event]));
    expect(starts.size).toBeGreaterThan(0);
    expect(starts.size).toBe(events.filter(({ ph }) => ph === 's').length);
    expect([...ends.keys()].sort()).toEqual([...starts.keys()].sort());
    for (const [id, end] of ends) {
      const start = starts.get(id)!;
      expect(end.ts!).toBeGreaterThanOrEqual(start.ts!);
      expect([end.bp, end.cat, end.name]).toEqual(['e', start.cat, start.name]);
      for (const { tid, ts } of [start, end]) {
        const holds = events.some(
          (event) =>
            event.ph === 'X' && event.tid === tid && event.ts! <= ts! && ts! <= event.ts! + event.dur! + 1e-9,
        );
        expect(holds, id).toBe(true);
      }
    }

    const { totals } = report;
    const cyclesOf = (track: string) => sum(on(track).map(({ args }) => args!.cycles!));
    expect(cyclesOf('Sequencer')).toBe(totals.cycles);
    expect(on('Sequencer').length).toBe(totals.commands);
    const { computeCycles, stalls } = totals;
    expect(cyclesOf('PE array')).toBe(computeCycles + stalls.bank! + stalls.postProcessing! + stalls.fill!);
    const bytesOf = (track: string) => sum(on(track).map(({ args }) => args!.bytes!));
    expect(bytesOf('Load DMA')).toBe(totals.dram.readBytes);
    expect(bytesOf('Store DMA')).toBe(totals.dram.writeBytes);
    // Megabytes a second of 1024 cycles each are the bytes again.
    const bandwidth = events.filter(({ name }) => name.startsWith('DRAM bandwidth')).map(({ args }) => args!);
    expect(sum(bandwidth.map((one) => ((one.read! + one.write!) * 1024) / clockMHz))).toBeCloseTo(
      totals.dram.totalBytes,
      3,
    );
    const data = sum([...threads.keys()].filter((name) => name.startsWith('DRAM')).map(bytesOf));
    expect(data).toBe(totals.dram.memory?.busBytes ?? totals.dram.totalBytes);
    const { buffers } = readMachineFile(report.hardware.name === 'edge-64' ? edge64 : edge256);
    const counters = events.filter((event) => event.name.endsWith(' buffer'));
    expect(new Set(counters.map(({ name }) => name))).toEqual(
      new Set(['feature buffer', 'weight buffer', 'parameter buffer', 'output buffer']),
    );
    for (const { name, args } of counters) {
      const buffer = name.replace(' buffer', '') as 'feature' | 'weight' | 'parameter' | 'output';
      expect(args!.bytes).toBeGreaterThanOrEqual(0);
      expect(args!.bytes).toBeLessThanOrEqual(buffers[buffer].bytes);
    }
  });
});

it('writes times exactly, rounded down to nanoseconds', () => {
  expect(microseconds(1, 1000, 300)).toBe('0.003');
  expect(microseconds(3, 1000, 300)).toBe('0.010');
  expect(microseconds(2 ** 53 - 1, 1000, 300)).toBe('30023997515803.303');
});

/** Reads a value change dump: by signal, its values in the order of times. */
function parseVcd(text: string): Map<string, [time: number, value: number][]> {
  const tokens = text.split(/\s+/);
  const names = new Map<string, string>();
  const scopes: string[] = [];
  const values = new Map<string, [number, number][]>();
  let at = 0;
  let time = -1;
  const upTo = (): string[] => {
    const body: string[] = [];
    while (tokens[at] !== '$end') body.push(tokens[at++]!);
    at++;
    return body;
  };
  while (at < tokens.length) {
    const token = tokens[at++]!;
    if (token === '$scope') scopes.push(upTo()[1]!);
    else if (token === '$upscope') {
      upTo();
      scopes.pop();
    } else if (token === '$var') {
      const [type, bits, code, name] = upTo();
      expect(type).toBe('wire');
      expect(Number(bits)).toBeGreaterThan(0);
      expect(code).toMatch(/^[!-~]+$/);
      expect(names.has(code!)).toBe(false);
      names.set(code!, [...scopes.slice(1), name].join('.'));
      values.set(names.get(code!)!, []);
    } else if (['$comment', '$timescale', '$enddefinitions'].includes(token)) {
      const body = upTo();
      if (token === '$timescale') expect(body).toEqual(['1', 'ps']);
      if (token === '$enddefinitions') expect(scopes).toEqual([]);
    } else if (token.startsWith('#')) {
      expect(Number(token.slice(1))).toBeGreaterThan(time);
      time = Number(token.slice(1));
    } else if (token.startsWith('b')) {
      expect(token).toMatch(/^b[01]+$/);
      values.get(names.get(tokens[at++]!)!)!.push([time, Number.parseInt(token.slice(1), 2)]);
    } else expect(['$dumpvars', '$end', '']).toContain(token);
  }
  return values;
}

/** The value at a time. */
function valueAt(values: readonly [number, number][], time: number): number {
  return values.findLast(([when]) => when <= time)![1];
}

describe('waveform', () => {
  it('holds what the timeline holds, from any cycle on', async () => {
    const path = scratch('all.vcd');
    const { events, report } = await timeline(
      edge256,
      faces,
      'both.json',
      '--vcd',
      path,
      '--vcd-window',
      '0:1000000',
    );
    const all = parseVcd(readFileSync(path, 'utf8'));
    const psPerCycle = 2500;
    const array = events.filter(({ ph, tid }) => ph === 'X' && tid === 4);
    expect(array.length).toBeGreaterThan(2);
    const active = all.get('array.active')!;
    let busy = 0;
    active.forEach(([time, value], index) => {
      expect(value).toBeLessThanOrEqual(1);
      if (value === 1) busy += active[index + 1]![0] - time;
    });
    expect(busy / psPerCycle).toBe(sum(array.map(({ args }) => args!.cycles!)));
    for (const { args } of array) {
      const time = args!.acceptedCycle! * psPerCycle;
      expect(valueAt(all.get('array.command')!, time)).toBe(args!.command!);
    }
    for (const [name, values] of all) {
      if (/^(queues|tokens)\./.test(name) || name.endsWith('.active')) {
        expect(values.at(-1)![1], name).toBe(0);
        // A token that is waited for is taken in the cycle in which it comes.
        if (!name.startsWith('tokens.'))
          expect(
            values.some(([, value]) => value > 0),
            name,
          ).toBe(true);
      }
    }
    expect(valueAt(all.get('sequencer.next')!, 1e12)).toBe(report.totals.commands);
    expect(all.get('dram0.command')!.some(([, value]) => value === 0)).toBe(true);

    // A later window begins with the values of its first cycle.
    const part = scratch('part.vcd');
    await timeline(edge256, faces, 'part.json', '--vcd', part, '--vcd-window', '40000:41000');
    for (const [name, values] of parseVcd(readFileSync(part, 'utf8'))) {
      const whole = all.get(name)!;
      const [from, to] = [40000 * psPerCycle, 41000 * psPerCycle];
      expect(values[0], name).toEqual([from, valueAt(whole, from)]);
      expect(values.slice(1), name).toEqual(whole.filter(([time]) => time > from && time < to));
    }
  });

  it.each([
    [['--vcd-window', '5:5'], /Expected FROM:TO/],
    [['--vcd-window', '0:2000000'], /at most 1000000 cycles/],
    [['--vcd-window', 'x'], /Expected FROM:TO/],
    [[], /^--vcd: no window, expected --vcd-window/],
    [['--vcd-window', '99999:100000'], /begins at cycle 99999, the run has \d+/],
  ])('refuses %j in one line, and leaves no file', async (flags, message) => {
    const path = scratch('no.vcd');
    const run = [
      'simulate',
      '--model',
      example,
      '--hw',
      edge256,
      '--mode',
      'timing',
      '--vcd',
      path,
      ...flags,
    ];
    const { code, stdout, stderr } = await condensim(...run);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stderr).toMatch(message);
    expect(existsSync(path)).toBe(false);
  });
});
