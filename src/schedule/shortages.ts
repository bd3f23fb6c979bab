/** What a machine's buffers lack for a layer that fits no tiling, and the smallest change with which one does. */
import { sum } from '../core/integers.ts';
import { maximumBytes } from '../hw/buffers/buffers.ts';
import type { MachineConfig } from '../hw/machine/config.ts';

type OnChip = keyof MachineConfig['buffers'];

/** Remembers, for every buffer that refused a tiling, the least it would have needed. */
export class Shortages {
  private readonly needs = new Map<OnChip, number>();

  constructor(private readonly machine: MachineConfig) {}

  /** Whether `bytes` fit the buffer; if not, it is noted. */
  fits(buffer: OnChip, bytes: number): boolean {
    if (bytes <= this.machine.buffers[buffer].bytes) return true;
    this.needs.set(buffer, Math.min(bytes, this.needs.get(buffer) ?? Number.POSITIVE_INFINITY));
    return false;
  }

  /** Machines with one of the buffers that refused a tiling just large enough for it. */
  *mended(): Generator<MachineConfig> {
    const { buffers } = this.machine;
    for (const [buffer, bytes] of this.needs) {
      if (bytes > maximumBytes) continue;
      yield { ...this.machine, buffers: { ...buffers, [buffer]: { ...buffers[buffer], bytes } } };
    }
  }
}

/** Machines that are tried before giving up: some tens of milliseconds each at worst. */
const mostTries = 250;

/**
 * Buffers made larger by the fewest bytes in all so that a layer fits, in words; found by trying, the smaller change first.
 * A tiling's needs show one after the other, so every step enlarges one buffer to the least that some tiling was refused for.
 *
 * @param fits whether the layer fits a machine; notes what refused its tilings if not
 */
export function shortageText(
  machine: MachineConfig,
  fits: (other: MachineConfig, shortages: Shortages) => boolean,
): string {
  const names = Object.keys(machine.buffers) as OnChip[];
  const more = (other: MachineConfig, name: OnChip) =>
    other.buffers[name].bytes - machine.buffers[name].bytes;
  const total = (other: MachineConfig) => sum(names.map((name) => more(other, name)));
  const keyOf = (other: MachineConfig) => names.map((name) => more(other, name)).join();
  const pending = [machine];
  const known = new Set([keyOf(machine)]);
  for (let tries = 0; tries < mostTries && pending.length > 0; tries++) {
    const next = pending.reduce((best, other) => (total(other) < total(best) ? other : best));
    pending.splice(pending.indexOf(next), 1);
    const shortages = new Shortages(next);
    if (fits(next, shortages)) {
      const short = names.filter((name) => more(next, name) > 0);
      const lacks = short.map((name) => `the ${name} buffer is ${bytesText(more(next, name))} short`);
      const changes = short.map(
        (name) => `buffers.${name}.bytes: ${more(next, name)} more (${next.buffers[name].bytes})`,
      );
      return `${lacks.join(' and ')} for its smallest tile, expected ${changes.join(' and ')}`;
    }
    for (const other of shortages.mended()) {
      if (known.has(keyOf(other))) continue;
      known.add(keyOf(other));
      pending.push(other);
    }
  }
  return `no buffer of up to ${maximumBytes} bytes was found to hold a tile of it, expected a smaller layer`;
}

function bytesText(bytes: number): string {
  return bytes === 1 ? '1 byte' : `${bytes} bytes`;
}
