/**
 * A program on a machine with `memory: ideal-infinite`: its commands one after the other, in the order of the program. Bytes
 * move and tiles are computed as ever, but nothing takes time besides the array, and a streamed tile the cycles of its
 * reads. There is nothing to wait for, so there are no queues, tokens and events.
 */
import { ceilDiv } from '../../core/integers.ts';
import { beatsOf } from '../buffers/beats.ts';
import { emptySramStatistics } from '../buffers/buffers.ts';
import { countArray, countDepthwise, countPost, countStream } from '../compute/accesses.ts';
import { emptyArrayCycles } from '../compute/statistics.ts';
import { TilePatterns } from '../compute/tile-patterns.ts';
import {
  bufferNames,
  type Command,
  type CommandOf,
  type TransferCommand,
  trafficKinds,
} from '../isa/formats.ts';
import { skewCycles } from '../pe-array/dataflows/dataflow.ts';
import { depthwiseLanes, stripRows, stripsOf } from '../pe-array/depthwise.ts';
import type { MachineConfig } from './config.ts';
import { emptyTraffic, type MachineResult, type MachineRun, type StepResult } from './machine.ts';

/** Commands between two calls of the progress listener. */
const progressInterval = 256;

/** Runs a program; see `runMachine`. `config` is a machine as `withoutLimits` returns it. */
export function runIdeal(
  config: MachineConfig,
  program: readonly Command[],
  { data, observer, onStep, onProgress }: MachineRun = {},
): MachineResult {
  const { peArray } = config;
  const beats = beatsOf(config);
  const patterns = new TilePatterns(peArray, config.buffers.feature.banks);
  const steps: StepResult[] = [];
  let now = 0;
  let stepStart = 0;
  let array = emptyArrayCycles();
  let traffic = emptyTraffic();
  let sram = emptySramStatistics();
  let post: CommandOf<'postProcess'> | undefined;

  const transfer = (command: TransferCommand): void => {
    const { segments, stretchBytes, dramPitch, bufferSegmentPitch, bufferRunPitch, runBytes } = command;
    const isLoad = command.op === 'load';
    const buffer = sram[bufferNames[command.buffer]!];
    const total = segments * stretchBytes;
    const words = segments * (stretchBytes / runBytes) * ceilDiv(runBytes, beats[command.buffer]!);
    traffic[isLoad ? 'readBytes' : 'writeBytes'] += total;
    traffic.byKind[trafficKinds[command.kind]!] += total;
    traffic.transactions += segments * ceilDiv(stretchBytes, config.dma.burstBytes);
    buffer[isLoad ? 'writes' : 'reads'] += words;
    buffer.bytes += total;
    if (data === undefined) return;
    for (let segment = 0; segment < segments; segment++) {
      for (let run = 0; run * runBytes < stretchBytes; run++) {
        data.move(
          command,
          command.dramAddress + segment * dramPitch + run * runBytes,
          command.bufferAddress + segment * bufferSegmentPitch + run * bufferRunPitch,
          runBytes,
        );
      }
    }
  };

  const move = (command: CommandOf<'move'>): void => {
    const total = command.segments * command.runs * command.runBytes;
    for (const [buffer, side] of [
      ['output', 'reads'],
      ['feature', 'writes'],
    ] as const) {
      const words = ceilDiv(command.runBytes, beats[bufferNames.indexOf(buffer)]!);
      sram[buffer][side] += command.segments * command.runs * words;
      sram[buffer].bytes += total;
    }
    data?.moveOnChip(command);
  };

  const compute = (tile: CommandOf<'compute'>, index: number): void => {
    const leaving = tile.accumulateOut === 1 ? undefined : post;
    data?.begin(tile, leaving);
    const start = now;
    if (tile.depthwise === 1) {
      const lanes = depthwiseLanes(peArray, tile.kernelRows, tile.kernelColumns, tile.strideColumns);
      const strips = stripsOf(tile, lanes, config.buffers.feature.banks).length;
      array.busy += tile.groups * strips * stripRows(tile).reads;
      countDepthwise(sram, config, tile);
    } else {
      const pattern = patterns.of(tile, leaving);
      if (tile.stream === 1) {
        array.busy += Math.max(1, tile.operands) * pattern.pixelFolds * tile.filters;
        countStream(sram, config, tile, pattern);
      } else {
        for (const { fill, steps: busy } of pattern.plan.batches) {
          array.fill += tile.groups * fill;
          array.busy += tile.groups * busy;
        }
        // Overlapped folds follow each other; the last one's sums are as late as the last element is.
        if (peArray.foldOverlap) array.fill += skewCycles(peArray);
        countArray(sram, config, tile, pattern, leaving !== undefined);
      }
    }
    now = stepStart + array.busy + array.fill;
    observer?.slice?.('array', index, start, now);
    if (leaving === undefined) return;
    countPost(sram, config, tile, leaving);
    data?.finish();
  };

  program.forEach((command, index) => {
    if (index % progressInterval === 0) onProgress?.(index, now);
    observer?.dispatched?.(index, now);
    switch (command.op) {
      case 'load':
      case 'store':
        transfer(command);
        break;
      case 'move':
        move(command);
        break;
      case 'postProcess':
        post = command;
        break;
      case 'compute':
        compute(command, index);
        break;
      case 'barrier':
        steps.push({ startCycle: stepStart, endCycle: now, array, dram: traffic, sdram: undefined, sram });
        array = emptyArrayCycles();
        traffic = emptyTraffic();
        sram = emptySramStatistics();
        stepStart = now;
        onStep?.(steps.length - 1);
        break;
    }
  });
  return { cycles: now, steps, events: program.length };
}
