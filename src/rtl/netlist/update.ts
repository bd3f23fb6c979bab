/** What a clock edge changes, and under which conditions. */
import { assert } from '../../core/diagnostics.ts';
import type { Bits, Control, Design, Memory, Register, WritePort } from './design.ts';

/** One thing a clock edge changes: a register, or a memory through one of its write ports. */
export type Update = RegisterUpdate | WriteUpdate;

interface UpdateOrder {
  /** The new value goes aside and is put in place at the end. */
  postponed: boolean;
}

export interface RegisterUpdate extends UpdateOrder {
  readonly kind: 'register';
  readonly register: Register;
}

export interface WriteUpdate extends UpdateOrder {
  readonly kind: 'write';
  readonly memory: Memory;
  readonly port: number;
}

/** When updates act at all. */
export interface Controls {
  readonly enable: Control | undefined;
  readonly reset: Control | undefined;
  readonly resetNeedsEnable: boolean;
}

/** All that a clock edge may change. */
export function updatesOf({ registers, memories }: Design): Update[] {
  const updates: Update[] = registers.map((register) => ({ kind: 'register', register, postponed: false }));
  for (const memory of memories) {
    memory.writePorts.forEach((_, port) => {
      updates.push({ kind: 'write', memory, port, postponed: false });
    });
  }
  return updates.filter(
    (update) => update.kind === 'register' || controlsOf(update).enable?.bits.length !== 0,
  );
}

/** When an update acts at all. A memory is written if any bit's enable is active. */
export function controlsOf(update: Update): Controls {
  if (update.kind === 'register') {
    const { enable, reset, resetNeedsEnable } = update.register;
    return { enable, reset: reset?.control, resetNeedsEnable };
  }
  const bits = [...new Set(portOf(update).enable)].filter((bit) => bit !== 0);
  const enable = bits.includes(1) ? undefined : { bits, activeLow: false };
  return { enable, reset: undefined, resetNeedsEnable: false };
}

export function portOf({ memory, port }: WriteUpdate): WritePort {
  const found = memory.writePorts[port];
  assert(found !== undefined, `${memory.name} has no write port ${port}`);
  return found;
}

/** What an update needs if its controls let it act. */
export function dataOf(update: Update): readonly Bits[] {
  if (update.kind === 'register') return [update.register.data];
  const { address, data, enable } = portOf(update);
  return [address, data, enable];
}

/** All that an update depends on. */
export function neededBy(update: Update): readonly Bits[] {
  const { enable, reset } = controlsOf(update);
  return [enable?.bits ?? [], reset?.bits ?? [], ...dataOf(update)];
}

/** Equal for updates under the same controls. */
export function keyOf(update: Update): string {
  const { enable, reset, resetNeedsEnable } = controlsOf(update);
  const text = (control: Control | undefined): string =>
    control === undefined ? '' : `${control.activeLow ? '!' : ''}${control.bits.join('+')}`;
  return `${text(reset)};${text(enable)};${resetNeedsEnable}`;
}
