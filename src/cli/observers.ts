/** Several observers of one run as one. */
import type { Observer } from '../sim/trace.ts';

const methods = [
  'slice',
  'dispatched',
  'accepted',
  'request',
  'transaction',
  'dramCommand',
  'bus',
] as const satisfies readonly (keyof Observer)[];

/** Hears what any of them hears; undefined where there are none, so that the run watches nothing. */
export function allObservers(observers: readonly Observer[]): Observer | undefined {
  if (observers.length < 2) return observers[0];
  const all: Record<string, (...what: never[]) => void> = {};
  for (const method of methods) {
    const hear = observers.flatMap((one) => one[method]?.bind(one) ?? []) as ((...what: never[]) => void)[];
    if (hear.length === 0) continue;
    all[method] = (...what) => {
      for (const one of hear) one(...what);
    };
  }
  return all;
}
