/**
 * The commands a memory's channels issue, as text, a line each: `CLOCK COMMAND RANK BANKGROUP BANK ROW COLUMN`, -1 for what
 * a command has not, columns in bursts. With several channels the channel's number stands in front, and the lines of
 * each channel are in the order of clocks.
 *
 * Commands after the end of all data belong to no request and are not counted; so what comes after a channel's data is
 * held back until more data follow, or the end is known.
 */
import { gzipSync } from 'node:zlib';
import type { ChannelListener } from '../hw/dram/channel.ts';
import { geometryOf, type SdramConfig } from '../hw/dram/config.ts';
import { commandClasses, RD, RDA, REF, WR, WRA } from '../hw/dram/constraints.ts';
import { AtomicFile } from '../import/write-file.ts';

const chunkLength = 1 << 20;

/** Equal commands at equal distances: refreshes, of which a long pause has millions. */
interface HeldCommands {
  readonly clock: number;
  readonly command: number;
  readonly bank: number;
  readonly row: number;
  count: number;
  stride: number;
}

export class CommandTrace {
  private readonly file: AtomicFile;
  private readonly isPacked: boolean;
  private text = '';
  /** What every channel holds back, by the prefix of its lines. */
  private readonly held = new Map<string, HeldCommands[]>();

  private readonly isSingle: boolean;
  private readonly banks: number;
  private readonly banksPerRank: number;
  private readonly banksPerGroup: number;
  /** Clocks from a column command to the end of its data. */
  private readonly readDelay: number;
  private readonly writeDelay: number;

  /** Opens the file; gzip if its name ends in `.gz`. Throws an `InputError` if it cannot be written. */
  constructor(path: string, config: SdramConfig) {
    const { organisation, timing } = config;
    const { banks, banksPerRank, burstClocks } = geometryOf(config);
    this.isSingle = organisation.channels === 1;
    this.banks = banks;
    this.banksPerRank = banksPerRank;
    this.banksPerGroup = organisation.banksPerGroup;
    this.readDelay = timing.AL + timing.CL + burstClocks;
    this.writeDelay = timing.AL + timing.CWL + burstClocks;
    this.isPacked = path.endsWith('.gz');
    this.file = new AtomicFile(path);
  }

  /** What hears a channel's commands. */
  listenerOf(channel: number): ChannelListener {
    const prefix = this.isSingle ? '' : `${channel} `;
    const held: HeldCommands[] = [];
    this.held.set(prefix, held);
    let dataEnd = -1;
    return {
      command: (clock, command, bank, row, column) => {
        const isRead = command === RD || command === RDA;
        if (isRead || command === WR || command === WRA) {
          for (const commands of held) this.addHeld(prefix, commands, clock);
          held.length = 0;
          dataEnd = Math.max(dataEnd, clock + (isRead ? this.readDelay : this.writeDelay));
        } else if (clock > dataEnd) {
          this.hold(held, clock, command, bank, row);
          return;
        }
        this.add(prefix, clock, command, bank, row, column);
      },
    };
  }

  /** Leaves the complete file, with the commands up to the clock in which the last data end. */
  commit(finish: number): void {
    for (const [prefix, held] of this.held) {
      for (const commands of held) this.addHeld(prefix, commands, finish);
    }
    this.flush();
    this.file.commit();
  }

  /** Leaves no file. Harmless after `commit`. */
  discard(): void {
    this.file.discard();
  }

  private hold(held: HeldCommands[], clock: number, command: number, bank: number, row: number): void {
    const last = held.at(-1);
    if (last !== undefined && command === REF && last.command === REF) {
      // Ranks take turns.
      const stride = last.count === 1 ? clock - last.clock : last.stride;
      if (clock === last.clock + last.count * stride && bank === this.refreshedBank(last, last.count)) {
        last.stride = stride;
        last.count++;
        return;
      }
    }
    held.push({ clock, command, bank, row, count: 1, stride: 0 });
  }

  private refreshedBank({ bank }: HeldCommands, index: number): number {
    return (bank + index * this.banksPerRank) % this.banks;
  }

  private addHeld(prefix: string, held: HeldCommands, last: number): void {
    for (let index = 0; index < held.count; index++) {
      const clock = held.clock + index * held.stride;
      if (clock > last) return;
      this.add(prefix, clock, held.command, this.refreshedBank(held, index), held.row, -1);
    }
  }

  private add(
    prefix: string,
    clock: number,
    command: number,
    bank: number,
    row: number,
    column: number,
  ): void {
    const rank = Math.floor(bank / this.banksPerRank);
    const inRank = bank % this.banksPerRank;
    const place =
      command === REF ? '-1 -1' : `${Math.floor(inRank / this.banksPerGroup)} ${inRank % this.banksPerGroup}`;
    this.text += `${prefix}${clock} ${commandClasses[command]} ${rank} ${place} ${row} ${column}\n`;
    if (this.text.length >= chunkLength) this.flush();
  }

  /** A gzip file may consist of several, so that each piece can be packed by itself. */
  private flush(): void {
    this.file.write(this.isPacked ? new Uint8Array(gzipSync(this.text)) : this.text);
    this.text = '';
  }
}
