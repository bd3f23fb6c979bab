/**
 * How many bytes of each buffer hold something that is still to be read: a transfer's bytes from its completion to the
 * end of the last tile that reads their place before it is used for something else, a tile's results from its start to
 * their store. Places are compared by the range from their first to their last byte.
 */
import { bufferNames, type Command, type CommandOf } from '../hw/isa/formats.ts';

interface Held {
  readonly from: number;
  readonly to: number;
  readonly load: number;
  lastUse: number;
}

type Listener = (buffer: string, cycle: number, bytes: number) => void;

export class BufferLives {
  /** Loads whose bytes a tile is the last to read. */
  private readonly lastReadBy = new Map<number, number[]>();
  private readonly isRead: Uint8Array;
  private readonly bytes = new Map<string, number>();
  /** Changes that lie ahead, by cycle. */
  private pending: { cycle: number; buffer: string; bytes: number }[] = [];
  private post: CommandOf<'postProcess'> | undefined;
  private readonly postOf = new Map<number, CommandOf<'postProcess'>>();

  constructor(
    private readonly commands: readonly Command[],
    private readonly listener: Listener,
  ) {
    this.isRead = new Uint8Array(commands.length);
    const held: Held[][] = bufferNames.map(() => []);
    commands.forEach((command, index) => {
      if (command.op === 'load') {
        const place = { from: command.bufferAddress, to: command.bufferAddress + bytesOf(command) };
        const kept = held[command.buffer]!.filter((other) => !overlaps(other, place) || other.lastUse < 0);
        for (const other of held[command.buffer]!) if (!kept.includes(other)) this.close(other);
        kept.push({ ...place, load: index, lastUse: -1 });
        held[command.buffer] = kept;
      } else if (command.op === 'postProcess') {
        this.post = command;
      } else if (command.op === 'compute') {
        if (this.post !== undefined && command.accumulateOut === 0) this.postOf.set(index, this.post);
        for (const { buffer, from, to } of readsOf(command, this.post)) {
          for (const one of held[bufferNames.indexOf(buffer)]!) {
            if (overlaps(one, { from, to })) one.lastUse = index;
          }
        }
      } else if (command.op === 'barrier') {
        for (const places of held) for (const one of places.splice(0)) this.close(one);
      }
    });
  }

  slice(unit: string, index: number, start: number, end: number): void {
    const command = this.commands[index]!;
    if (command.op === 'load') {
      if (this.isRead[index] === 1) this.change(end, bufferNames[command.buffer]!, bytesOf(command));
    } else if (command.op === 'store' || command.op === 'move') {
      this.change(end, 'output', -bytesOf(command));
    } else if (unit === 'array' && command.op === 'compute') {
      const post = this.postOf.get(index);
      if (post !== undefined) {
        const maps = (command.groups * command.filters) / post.ratio;
        this.change(start, 'output', maps * post.outRows * post.outColumns * command.elementBytes);
      }
      for (const load of this.lastReadBy.get(index) ?? []) {
        const from = this.commands[load] as CommandOf<'load'>;
        this.change(end, bufferNames[from.buffer]!, -bytesOf(from));
      }
    }
  }

  /** Tells of everything up to a cycle. */
  advance(cycle: number): void {
    if (this.pending.length === 0) return;
    this.pending.sort((a, b) => a.cycle - b.cycle);
    let at = 0;
    for (; at < this.pending.length && this.pending[at]!.cycle <= cycle; at++) {
      const { buffer, bytes, cycle: when } = this.pending[at]!;
      const next = Math.max(0, (this.bytes.get(buffer) ?? 0) + bytes);
      this.bytes.set(buffer, next);
      if (this.pending[at + 1]?.cycle !== when || this.pending[at + 1]?.buffer !== buffer) {
        this.listener(buffer, when, next);
      }
    }
    this.pending = this.pending.slice(at);
  }

  /** A step is over: nothing in the buffers counts any longer. */
  clear(cycle: number): void {
    this.pending = [];
    for (const [buffer, bytes] of this.bytes) {
      if (bytes !== 0) this.listener(buffer, cycle, 0);
      this.bytes.set(buffer, 0);
    }
  }

  private change(cycle: number, buffer: string, bytes: number): void {
    this.pending.push({ cycle, buffer, bytes });
  }

  private close({ load, lastUse }: Held): void {
    if (lastUse < 0) return;
    this.isRead[load] = 1;
    const loads = this.lastReadBy.get(lastUse);
    if (loads === undefined) this.lastReadBy.set(lastUse, [load]);
    else loads.push(load);
  }
}

function overlaps(a: { from: number; to: number }, b: { from: number; to: number }): boolean {
  return a.from < b.to && b.from < a.to;
}

function bytesOf(command: CommandOf<'load'> | CommandOf<'store'> | CommandOf<'move'>): number {
  return command.op === 'move'
    ? command.segments * command.runs * command.runBytes
    : command.segments * command.stretchBytes;
}

function readsOf(
  tile: CommandOf<'compute'>,
  post: CommandOf<'postProcess'> | undefined,
): { buffer: (typeof bufferNames)[number]; from: number; to: number }[] {
  const planes = tile.stream === 1 ? tile.filters : tile.groups * tile.channels;
  const operands = Math.max(1, tile.operands) - 1;
  const weights =
    tile.groups * tile.channels * tile.kernelRows * tile.kernelColumns * tile.filters * tile.weightBytes;
  const reads: ReturnType<typeof readsOf> = [
    {
      buffer: 'feature',
      from: tile.featureAddress,
      to: tile.featureAddress + planes * tile.planePitch + operands * tile.operandPitch,
    },
  ];
  if (tile.stream === 0) {
    reads.push({ buffer: 'weight', from: tile.weightAddress, to: tile.weightAddress + weights });
  }
  if (post !== undefined && tile.accumulateOut === 0) {
    if (post.requantise === 1) {
      reads.push({ buffer: 'parameter', from: post.parameterAddress, to: post.parameterAddress + 1 });
    }
    if (post.lookup === 1) reads.push({ buffer: 'table', from: 0, to: 1 });
  }
  return reads;
}
