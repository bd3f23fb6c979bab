/**
 * Commands with their dependencies. The emitter numbers the loads, computes and stores, and turns "this needs that
 * done" into tokens: one is passed only where the waiting side has not already waited for something later. Queues
 * are in order, so the n-th token taken is always the n-th given.
 */
import { assert } from '../core/diagnostics.ts';
import type { Command, CommandOf } from '../hw/isa/formats.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type LoadFields = Omit<CommandOf<'load'>, 'op' | 'waitCompute' | 'signalCompute'>;
type MoveFields = Omit<CommandOf<'move'>, 'op' | 'waitCompute' | 'signalCompute'>;
type ComputeFields = Omit<
  CommandOf<'compute'>,
  'op' | 'waitLoad' | 'waitStore' | 'signalLoad' | 'signalStore'
>;

/** No command: nothing to wait for. */
export const none = -1;

export class Emitter {
  readonly commands: Command[] = [];

  private readonly loads: Mutable<CommandOf<'load'>>[] = [];
  private readonly computes: Mutable<CommandOf<'compute'>>[] = [];
  /** Commands of the store queue: stores and moves. */
  private readonly stores: Mutable<CommandOf<'store'> | CommandOf<'move'>>[] = [];
  /** Computes that must give the load queue a token though they are not emitted yet. */
  private readonly owesLoad = new Set<number>();
  private loadWaitedFor = none;
  private computeWaitedForLoad = none;
  private computeWaitedForStore = none;
  private storeWaitedFor = none;

  /** Number that the next compute will get. */
  get nextCompute(): number {
    return this.computes.length;
  }

  /** Emits a load that may overwrite its place once compute `after` (possibly a later one) is done; returns its number. */
  load(fields: LoadFields, after: number): number {
    const isNew = after > this.loadWaitedFor;
    const command: Mutable<CommandOf<'load'>> = {
      op: 'load',
      waitCompute: isNew ? 1 : 0,
      signalCompute: 0,
      ...fields,
    };
    if (isNew) {
      this.loadWaitedFor = after;
      const compute = this.computes[after];
      if (compute === undefined) this.owesLoad.add(after);
      else compute.signalLoad = 1;
    }
    this.commands.push(command);
    return this.loads.push(command) - 1;
  }

  postProcess(fields: Omit<CommandOf<'postProcess'>, 'op'>): void {
    this.commands.push({ op: 'postProcess', ...fields });
  }

  /** Emits a tile that needs load `load` complete and store `store` done with its output slot. */
  compute(fields: ComputeFields, load: number, store: number): number {
    const number = this.computes.length;
    const waitsLoad = load > this.computeWaitedForLoad;
    const waitsStore = store > this.computeWaitedForStore;
    if (waitsLoad) {
      this.computeWaitedForLoad = load;
      this.loads[load]!.signalCompute = 1;
    }
    if (waitsStore) {
      this.computeWaitedForStore = store;
      this.stores[store]!.signalCompute = 1;
    }
    const command: Mutable<CommandOf<'compute'>> = {
      op: 'compute',
      waitLoad: waitsLoad ? 1 : 0,
      waitStore: waitsStore ? 1 : 0,
      signalLoad: this.owesLoad.delete(number) ? 1 : 0,
      signalStore: 0,
      ...fields,
    };
    this.commands.push(command);
    this.computes.push(command);
    return number;
  }

  /** Emits a store of (a part of) what compute `compute` made; returns its number. */
  store(fields: LoadFields, compute: number): number {
    return this.transfer({ op: 'store', ...this.tokensOf(compute), ...fields });
  }

  /** Emits a move of (a part of) what compute `compute` made into the feature buffer; numbered among the stores. */
  move(fields: MoveFields, compute: number): number {
    return this.transfer({ op: 'move', ...this.tokensOf(compute), ...fields });
  }

  private tokensOf(compute: number): { waitCompute: number; signalCompute: number } {
    assert(compute >= this.storeWaitedFor, 'stores follow their computes in order');
    const isNew = compute > this.storeWaitedFor;
    this.storeWaitedFor = compute;
    this.computes[compute]!.signalStore = 1;
    return { waitCompute: isNew ? 1 : 0, signalCompute: 0 };
  }

  private transfer(command: Mutable<CommandOf<'store'> | CommandOf<'move'>>): number {
    this.commands.push(command);
    return this.stores.push(command) - 1;
  }

  /** Ends a step: everything before is complete, and no one needs to wait for it any more. */
  barrier(): void {
    assert(this.owesLoad.size === 0, 'a load waits for a compute of a later step');
    this.commands.push({ op: 'barrier' });
    this.loadWaitedFor = this.computes.length - 1;
    this.computeWaitedForLoad = this.loads.length - 1;
    this.computeWaitedForStore = this.stores.length - 1;
  }
}
