/**
 * How much of each buffer holds something that is still to be read, in blocks of equal size. A block is held from the end
 * of the transfer (or the start of the tile) that fills it to the end of the last command that reads it before it is filled
 * again. What a tile reads is taken as the whole range from its first to its last byte. A block counts once, whatever
 * shares it: no level is above the capacity.
 */
import { bufferNames, type Command, type CommandOf } from '../hw/isa/formats.ts';
import { bufferBytes, type MachineConfig } from '../hw/machine/config.ts';
import { parameterRecordBytes } from '../hw/requantise/parameters.ts';

type Listener = (buffer: string, cycle: number, bytes: number) => void;

/** Blocks of a buffer at most; of small ones every byte is a block. */
const mostBlocks = 4096;

interface Storage {
  readonly name: string;
  readonly blockBytes: number;
  readonly capacity: number;
  /** Commands that fill each block and have not been read for the last time. */
  readonly holders: Uint16Array;
  held: number;
}

/** Blocks of a buffer that one command filled and that another one is the last to read. */
interface Holding {
  readonly buffer: Storage;
  readonly blocks: number[];
}

export class BufferBlocks {
  private readonly buffers: Storage[];
  /** What is held from a command on, and what until a command. */
  private readonly filledBy = new Map<number, Holding[]>();
  private readonly lastReadBy = new Map<number, Holding[]>();
  private pending: { cycle: number; holding: Holding; sign: 1 | -1 }[] = [];

  constructor(
    private readonly machine: MachineConfig,
    private readonly commands: readonly Command[],
    private readonly listener: Listener,
  ) {
    this.buffers = bufferNames.map((name) => {
      const capacity = bufferBytes(machine, name);
      const blockBytes = Math.max(1, Math.ceil(capacity / mostBlocks));
      const blocks = Math.ceil(capacity / blockBytes);
      return { name, blockBytes, capacity, holders: new Uint16Array(blocks), held: 0 };
    });
    this.findHoldings();
  }

  slice(unit: string, index: number, start: number, end: number): void {
    const { op } = this.commands[index]!;
    const isTile = op === 'compute';
    // A tile fills the output buffer from its start on and reads until the array is done.
    if (isTile && unit !== 'array') return;
    for (const holding of this.filledBy.get(index) ?? []) {
      this.pending.push({ cycle: isTile ? start : end, holding, sign: 1 });
    }
    for (const holding of this.lastReadBy.get(index) ?? [])
      this.pending.push({ cycle: end, holding, sign: -1 });
  }

  /** Tells of everything up to a cycle. */
  advance(cycle: number): void {
    if (this.pending.length === 0) return;
    const due = this.pending.filter((change) => change.cycle <= cycle);
    this.pending = this.pending.filter((change) => change.cycle > cycle);
    due.sort((a, b) => a.cycle - b.cycle || a.sign - b.sign);
    due.forEach(({ cycle: when, holding: { buffer, blocks }, sign }, at) => {
      for (const block of blocks) {
        const before = buffer.holders[block]!;
        const after = Math.max(0, before + sign);
        buffer.holders[block] = after;
        if (before === 0 && after > 0) buffer.held++;
        if (before > 0 && after === 0) buffer.held--;
      }
      const next = due[at + 1];
      if (next?.cycle !== when || next.holding.buffer !== buffer) this.tell(buffer, when);
    });
  }

  /** A step is over: nothing in the buffers counts any longer. */
  clear(cycle: number): void {
    this.advance(cycle);
    this.pending = [];
    for (const buffer of this.buffers) {
      const hadAny = buffer.held > 0;
      buffer.held = 0;
      buffer.holders.fill(0);
      if (hadAny) this.tell(buffer, cycle);
    }
  }

  private tell({ name, held, blockBytes, capacity }: Storage, cycle: number): void {
    this.listener(name, cycle, Math.min(capacity, held * blockBytes));
  }

  /** Walks the program once: who fills each block, and who reads it last. */
  private findHoldings(): void {
    const fillers = this.buffers.map(({ holders }) => new Int32Array(holders.length).fill(-1));
    const readers = this.buffers.map(({ holders }) => new Int32Array(holders.length).fill(-1));
    /** Closed holdings by filler and last reader. */
    const found = new Map<string, Holding>();
    const close = (number: number, block: number): void => {
      const filler = fillers[number]![block]!;
      const reader = readers[number]![block]!;
      if (filler >= 0 && reader >= 0) {
        const key = `${filler} ${reader} ${number}`;
        let holding = found.get(key);
        if (holding === undefined) {
          holding = { buffer: this.buffers[number]!, blocks: [] };
          found.set(key, holding);
          addTo(this.filledBy, filler, holding);
          addTo(this.lastReadBy, reader, holding);
        }
        holding.blocks.push(block);
      }
      fillers[number]![block] = -1;
      readers[number]![block] = -1;
    };
    const each = (number: number, from: number, to: number, visit: (block: number) => void): void => {
      const { blockBytes, holders } = this.buffers[number]!;
      const last = Math.min(holders.length - 1, Math.floor((to - 1) / blockBytes));
      for (let block = Math.floor(from / blockBytes); block <= last; block++) visit(block);
    };
    const fill = (index: number) => (number: number, from: number, to: number) =>
      each(number, from, to, (block) => {
        if (fillers[number]![block] === index) return;
        close(number, block);
        fillers[number]![block] = index;
      });
    const read = (index: number) => (number: number, from: number, to: number) =>
      each(number, from, to, (block) => {
        if (fillers[number]![block]! >= 0) readers[number]![block] = index;
      });
    let post: CommandOf<'postProcess'> | undefined;
    this.commands.forEach((command, index) => {
      if (command.op === 'load') {
        eachRun(command, (from, to) => fill(index)(command.buffer, from, to));
      } else if (command.op === 'store') {
        eachRun(command, (from, to) => read(index)(command.buffer, from, to));
      } else if (command.op === 'move') {
        eachPiece(command, (source, target) => {
          read(index)(output, source, source + command.runBytes);
          fill(index)(feature, target, target + command.runBytes);
        });
      } else if (command.op === 'postProcess') {
        post = command;
      } else if (command.op === 'compute') {
        readTile(command, post, parameterRecordBytes(this.machine), read(index));
        if (post !== undefined && command.accumulateOut === 0) {
          const maps = (command.groups * command.filters) / post.ratio;
          const bytes = maps * post.outRows * post.outColumns * command.elementBytes;
          fill(index)(output, post.outputAddress, post.outputAddress + bytes);
        }
      } else if (command.op === 'barrier') {
        for (const number of this.buffers.keys())
          each(number, 0, this.buffers[number]!.capacity, (b) => close(number, b));
      }
    });
  }
}

const [feature, weight, parameter, output] = (['feature', 'weight', 'parameter', 'output'] as const).map(
  (name) => bufferNames.indexOf(name),
) as [number, number, number, number];

function addTo(map: Map<number, Holding[]>, key: number, holding: Holding): void {
  const holdings = map.get(key);
  if (holdings === undefined) map.set(key, [holding]);
  else holdings.push(holding);
}

/** The places in the buffer that a transfer touches; runs without a gap between them come as one. */
function eachRun(
  command: CommandOf<'load'> | CommandOf<'store'>,
  visit: (from: number, to: number) => void,
): void {
  const { bufferAddress, segments, stretchBytes, runBytes, bufferSegmentPitch, bufferRunPitch } = command;
  for (let segment = 0; segment < segments; segment++) {
    const base = bufferAddress + segment * bufferSegmentPitch;
    if (bufferRunPitch === runBytes) {
      visit(base, base + stretchBytes);
      continue;
    }
    for (let run = 0; run * runBytes < stretchBytes; run++) {
      visit(base + run * bufferRunPitch, base + run * bufferRunPitch + runBytes);
    }
  }
}

function eachPiece(command: CommandOf<'move'>, visit: (source: number, target: number) => void): void {
  const { segments, runs } = command;
  for (let segment = 0; segment < segments; segment++) {
    for (let run = 0; run < runs; run++) {
      visit(
        command.sourceAddress + segment * command.sourceSegmentPitch + run * command.sourceRunPitch,
        command.targetAddress + segment * command.targetSegmentPitch + run * command.targetRunPitch,
      );
    }
  }
}

function readTile(
  tile: CommandOf<'compute'>,
  post: CommandOf<'postProcess'> | undefined,
  recordBytes: number,
  read: (buffer: number, from: number, to: number) => void,
): void {
  const planes = tile.stream === 1 ? tile.filters : tile.groups * tile.channels;
  const rows = tile.ringRows > 0 ? tile.ringRows : tile.rows;
  const span =
    (Math.max(1, tile.operands) - 1) * tile.operandPitch +
    (planes - 1) * tile.planePitch +
    (rows - 1) * tile.rowPitch +
    tile.columns * tile.elementBytes;
  read(feature, tile.featureAddress, tile.featureAddress + span);
  if (tile.stream === 0) {
    const weights = tile.groups * tile.channels * tile.kernelRows * tile.kernelColumns * tile.filters;
    read(weight, tile.weightAddress, tile.weightAddress + weights * tile.weightBytes);
  }
  if (post?.requantise === 1 && tile.accumulateOut === 0) {
    read(parameter, post.parameterAddress, post.parameterAddress + recordBytes * tile.groups * tile.filters);
  }
}
