/** Both DMA engines in Verilog; they share the queue and the walker of beats. */
import type { MachineConfig } from '../machine/config.ts';
import type { CountedModule } from '../verilog.ts';
import { beatWalkerVerilog } from './beat-verilog.ts';
import { loadDmaVerilog } from './load-verilog.ts';
import { transferQueueModules } from './queue-verilog.ts';
import { dmaShape } from './shape.ts';
import { storeDmaModules } from './store-verilog.ts';

/** Throws an `InputError` for a machine that the Verilog cannot express. */
export function dmaModules(machine: MachineConfig): readonly CountedModule[] {
  const shape = dmaShape(machine);
  return [
    { ...loadDmaVerilog(shape), count: 1 },
    ...storeDmaModules(shape),
    ...transferQueueModules(shape),
    { ...beatWalkerVerilog(shape), count: 2 },
  ];
}
