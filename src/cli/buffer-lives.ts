/** How many bytes of the output buffer hold results: a tile's from its start to the completion of their store or move. */
import type { Command, CommandOf } from '../hw/isa/formats.ts';

type Listener = (buffer: string, cycle: number, bytes: number) => void;

export class BufferLives {
  private readonly bytes = new Map<string, number>();
  /** Changes that lie ahead, by cycle. */
  private pending: { cycle: number; buffer: string; bytes: number }[] = [];
  private post: CommandOf<'postProcess'> | undefined;
  private readonly postOf = new Map<number, CommandOf<'postProcess'>>();

  constructor(
    private readonly commands: readonly Command[],
    private readonly listener: Listener,
  ) {
    commands.forEach((command, index) => {
      if (command.op === 'postProcess') {
        this.post = command;
      } else if (command.op === 'compute') {
        if (this.post !== undefined && command.accumulateOut === 0) this.postOf.set(index, this.post);
      }
    });
  }

  slice(unit: string, index: number, start: number, end: number): void {
    const command = this.commands[index]!;
    if (command.op === 'store' || command.op === 'move') {
      this.change(end, 'output', -bytesOf(command));
    } else if (unit === 'array' && command.op === 'compute') {
      const post = this.postOf.get(index);
      if (post !== undefined) {
        const maps = (command.groups * command.filters) / post.ratio;
        this.change(start, 'output', maps * post.outRows * post.outColumns * command.elementBytes);
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
}

function bytesOf(command: CommandOf<'store'> | CommandOf<'move'>): number {
  return command.op === 'move'
    ? command.segments * command.runs * command.runBytes
    : command.segments * command.stretchBytes;
}
