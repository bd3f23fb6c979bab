/**
 * DRAM without rows and banks: a bus of fixed bandwidth, then a fixed latency.
 *
 * Cycle rule: a transaction of n bytes occupies the bus for n * clock / bandwidth cycles, from when it was
 * submitted or the bus is free, whichever is later; it is answered `latency` cycles after the cycle in which it
 * leaves the bus. The fraction is kept exactly, in ticks of 1/denominator cycle.
 */
import { ceilDiv, greatestCommonDivisor } from '../../core/integers.ts';
import type { Engine } from '../../sim/engine.ts';
import type { Observer } from '../../sim/trace.ts';
import type { IdealDramConfig } from './config.ts';
import type { CompletionListener, Dram } from './port.ts';

export class IdealDram implements Dram {
  private readonly ticksPerByte: number;
  private readonly ticksPerCycle: number;
  private readonly latencyCycles: number;
  // When the bus is free: a cycle and a part of it, in ticks. Kept apart so that long runs stay exact.
  private busFreeCycle = 0;
  private busFreeTicks = 0;
  private readonly handlers: number[] = [];

  constructor(
    private readonly engine: Engine,
    config: IdealDramConfig,
    clockMHz: number,
    private readonly observer?: Observer | undefined,
  ) {
    const divisor = greatestCommonDivisor(clockMHz, config.bandwidthMBps);
    this.ticksPerByte = clockMHz / divisor;
    this.ticksPerCycle = config.bandwidthMBps / divisor;
    this.latencyCycles = ceilDiv(config.latencyNs * clockMHz, 1000);
  }

  connect(listener: CompletionListener): number {
    return this.handlers.push(this.engine.register(listener)) - 1;
  }

  takeStatistics(): undefined {
    return undefined;
  }

  submit(port: number, write: boolean, _address: number, bytes: number, tag: number): void {
    const { now } = this.engine;
    if (now > this.busFreeCycle) {
      this.busFreeCycle = now;
      this.busFreeTicks = 0;
    }
    const start = this.observer?.bus && this.busFreeCycle * this.ticksPerCycle + this.busFreeTicks;
    if (start !== undefined) this.observer?.bus?.(write, start, start + bytes * this.ticksPerByte);
    const ticks = this.busFreeTicks + bytes * this.ticksPerByte;
    const cycles = Math.floor(ticks / this.ticksPerCycle);
    this.busFreeCycle += cycles;
    this.busFreeTicks = ticks - cycles * this.ticksPerCycle;
    const complete = this.busFreeCycle + (this.busFreeTicks > 0 ? 1 : 0) + this.latencyCycles;
    this.engine.schedule(complete, this.handlers[port]!, tag);
  }
}
