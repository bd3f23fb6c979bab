/**
 * @fileoverview What simulating Tiny-YOLOv2 on edge-256 with its LPDDR4 takes: whole processes of the built command line, CPU
 * seconds and peak memory, in full and in timing mode; beside them what other simulators were found to take.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatTable, grouped, plainStyle } from '../src/report/tables.ts';
import { type QuotedPeer, quotedPeers } from './peers-quoted.ts';
import { measureProcess } from './processes.ts';

const repeats = 5;

interface Run {
  readonly name: string;
  readonly mode: 'full' | 'timing';
  readonly does: string;
  readonly cycles: number;
  /** The least of the runs, and the one in the middle: other processes only ever add to it. */
  readonly cpuSeconds: number;
  readonly medianCpuSeconds: number;
  readonly peakMiB: number;
  readonly cyclesPerCpuSecond: number;
  readonly most: { readonly cpuSeconds: number; readonly peakMiB?: number };
}

/** Prints the figures as tables or JSON; needs `npm run build`. */
export async function run(json: boolean): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'condensim-bench-'));
  try {
    const quantised = join(folder, 'quantised.cqn');
    const simulate = [
      'simulate',
      '--model',
      file('models/tiny-yolov2.yaml'),
      '--hw',
      file('hw-configs/edge-256.yaml'),
    ];
    measureProcess([...simulate, '--save-quantised', quantised]);
    const result = join(folder, 'run.json');
    const timed = (
      name: string,
      does: string,
      mode: Run['mode'],
      options: readonly string[],
      most: Run['most'],
    ): Run => {
      const argv = [...simulate, '--mode', mode, ...options, '--json', result];
      const usages = Array.from({ length: repeats }, () => measureProcess(argv));
      const seconds = usages.map(({ cpuSeconds }) => cpuSeconds).sort((a, b) => a - b);
      const { totals } = JSON.parse(readFileSync(result, 'utf8')) as { totals: { cycles: number } };
      return {
        name,
        mode,
        does,
        cycles: totals.cycles,
        cpuSeconds: seconds[0]!,
        medianCpuSeconds: seconds[repeats >> 1]!,
        peakMiB: Math.max(...usages.map(({ peakMiB }) => peakMiB)),
        cyclesPerCpuSecond: totals.cycles / seconds[0]!,
        most,
      };
    };
    const runs = [
      timed('timing', 'cycles and bytes', 'timing', [], { cpuSeconds: 1, peakMiB: 400 }),
      timed('full', 'generates weights, calibrates, runs with data', 'full', [], { cpuSeconds: 2 }),
      timed('full, saved', 'the network was quantised before', 'full', ['--quantised', quantised], {
        cpuSeconds: 2,
      }),
    ];
    const peers = quotedPeers.map((peer) => ({ ...peer, ...ratiosOf(peer, runs) }));
    if (json) {
      console.log(JSON.stringify({ repeats, runs, quotedPeers: peers }, undefined, 2));
      return;
    }
    console.log(
      `Tiny-YOLOv2 416 x 416 on edge-256 with LPDDR4, whole processes; the least CPU seconds of ${repeats} runs, and the one in the middle\n`,
    );
    console.log(runTable(runs));
    for (const { name, does } of runs) console.log(`${name}: ${does}`);
    console.log('\nOther simulators, quoted: not run here, and on another machine (bench/peers-quoted.ts)\n');
    console.log(peerTable(peers));
    for (const { name, array, counts } of peers) console.log(`${name}, ${array}: ${counts}`);
    console.log(
      '"about": the time of the whole network follows from the layers that were run. Ratios: their CPU seconds to ours in the mode named (full: the first of the two), and our cycles a CPU second to theirs.',
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function file(path: string): string {
  return fileURLToPath(new URL(`../${path}`, import.meta.url));
}

/** Their time over ours, and our rate over theirs, each from the figure that is kinder to them. */
function ratiosOf(peer: QuotedPeer, runs: readonly Run[]): { timeRatio: number; rateRatio: number | null } {
  const ours = runs.find(({ mode }) => mode === peer.against)!;
  return {
    timeRatio: peer.cpuSeconds[0] / ours.cpuSeconds,
    rateRatio: peer.cyclesPerCpuSecond === null ? null : ours.cyclesPerCpuSecond / peer.cyclesPerCpuSecond[1],
  };
}

function runTable(runs: readonly Run[]): string {
  const right = (heading: string) => ({ heading, align: 'right' as const });
  return formatTable(
    [
      { heading: 'Ours', align: 'left' },
      right('cycles'),
      right('CPU s'),
      right('median'),
      right('asked'),
      { heading: '', align: 'left' },
      right('peak MiB'),
      right('asked'),
      right('cycles/CPU s'),
    ],
    runs.map(({ name, cycles, cpuSeconds, medianCpuSeconds, peakMiB, cyclesPerCpuSecond, most }) => [
      name,
      grouped(cycles),
      cpuSeconds.toFixed(2),
      medianCpuSeconds.toFixed(2),
      `<= ${most.cpuSeconds}`,
      cpuSeconds <= most.cpuSeconds && peakMiB <= (most.peakMiB ?? Number.POSITIVE_INFINITY)
        ? 'met'
        : 'missed',
      peakMiB.toFixed(0),
      most.peakMiB === undefined ? '' : `<= ${most.peakMiB}`,
      grouped(Math.round(cyclesPerCpuSecond)),
    ]),
    plainStyle,
  );
}

function peerTable(peers: readonly (QuotedPeer & ReturnType<typeof ratiosOf>)[]): string {
  const right = (heading: string) => ({ heading, align: 'right' as const });
  const span = ([least, most]: readonly [number, number]): string =>
    least === most ? number(least) : `${number(least)}-${number(most)}`;
  const number = (value: number): string => (value < 100 ? String(value) : grouped(Math.round(value)));
  return formatTable(
    [
      { heading: 'Peer', align: 'left' },
      { heading: 'array', align: 'left' },
      right('CPU s'),
      right('peak MiB'),
      right('cycles/CPU s'),
      { heading: 'against', align: 'left' },
      right('time, times'),
      right('rate, times'),
    ],
    peers.map((peer) => [
      peer.name,
      peer.array,
      `${peer.whole ? '' : 'about '}${span(peer.cpuSeconds)}`,
      span(peer.peakMiB),
      peer.cyclesPerCpuSecond === null ? '-' : span(peer.cyclesPerCpuSecond),
      peer.against,
      grouped(Math.round(peer.timeRatio)),
      peer.rateRatio === null ? '-' : grouped(Math.round(peer.rateRatio)),
    ]),
    plainStyle,
  );
}
