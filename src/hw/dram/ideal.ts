/**
 * DRAM without rows and banks: a bus of fixed bandwidth, then a fixed latency.
 *
 * Cycle rule: a transaction of n bytes occupies the bus for n * clock / bandwidth cycles, from when it was
 * submitted or the bus is free, whichever is later; it is answered `latency` cycles after the cycle in which it
 * leaves the bus. The fraction is kept exactly: time is counted in 1/denominator cycles.
 */
import type { z } from 'zod';
import { ceilDiv, greatestCommonDivisor } from '../../core/integers.ts';
import type { Engine } from '../../sim/engine.ts';
import type { CompletionListener, Dram, idealDramSchema } from './dram.ts';

export class IdealDram implements Dram {
  readonly statistics = { rowHits: 0, activates: 0, refreshes: 0 };

  private readonly ticksPerByte: number;
  private readonly ticksPerCycle: number;
  private readonly latencyCycles: number;
  private busFreeTick = 0;
  private readonly handlers: number[] = [];

  constructor(
    private readonly engine: Engine,
    config: z.output<typeof idealDramSchema>,
    clockMHz: number,
  ) {
    const divisor = greatestCommonDivisor(clockMHz, config.bandwidthMBps);
    this.ticksPerByte = clockMHz / divisor;
    this.ticksPerCycle = config.bandwidthMBps / divisor;
    this.latencyCycles = ceilDiv(config.latencyNs * clockMHz, 1000);
  }

  connect(listener: CompletionListener): number {
    return this.handlers.push(this.engine.register(listener)) - 1;
  }

  submit(port: number, _write: boolean, _address: number, bytes: number, tag: number): void {
    const start = Math.max(this.engine.now * this.ticksPerCycle, this.busFreeTick);
    this.busFreeTick = start + bytes * this.ticksPerByte;
    const complete = ceilDiv(this.busFreeTick, this.ticksPerCycle) + this.latencyCycles;
    this.engine.schedule(complete, this.handlers[port]!, tag);
  }
}
