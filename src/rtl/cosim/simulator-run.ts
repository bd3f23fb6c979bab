/** A case on the simulator: its compute unit with real data. */
import { assert } from '../../core/diagnostics.ts';
import { emptySramStatistics } from '../../hw/buffers/buffers.ts';
import { ComputeUnit } from '../../hw/compute/compute.ts';
import { emptyArrayCycles } from '../../hw/compute/statistics.ts';
import { DataPath } from '../../hw/machine/data-path.ts';
import { memoryMap } from '../../hw/machine/memory-map.ts';
import { Tokens } from '../../hw/sequencer/queue.ts';
import { createMemory, loadKernels } from '../../kernels/kernels.ts';
import { Engine } from '../../sim/engine.ts';
import { type CosimCase, type CosimResult, loadedBuffers } from './case.ts';

/** Throws if the case deadlocks: a defect of the case. */
export async function runSimulator(cosimCase: CosimCase): Promise<CosimResult> {
  const { machine, commands, arrivals, fromLoad, fromStore, buffers } = cosimCase;
  const map = memoryMap(machine, commands, 0);
  const memory = createMemory(map.totalBytes);
  const kernels = await loadKernels(memory);
  const bytes = new Uint8Array(memory.buffer);
  for (const name of loadedBuffers) bytes.set(buffers[name], map.buffers[name]);

  const engine = new Engine();
  const tokens = {
    fromLoad: new Tokens(),
    toLoad: new Tokens(),
    fromStore: new Tokens(),
    toStore: new Tokens(),
  };
  const toLoad: number[] = [];
  const toStore: number[] = [];
  tokens.toLoad.onArrival(() => toLoad.push(engine.now));
  tokens.toStore.onArrival(() => toStore.push(engine.now));
  const unit = new ComputeUnit(
    engine,
    machine,
    commands,
    tokens,
    new DataPath(kernels, map, memory, machine),
    undefined,
    () => undefined,
    { cycles: emptyArrayCycles(), sram: emptySramStatistics() },
  );
  const push = engine.register((index) => {
    assert(!unit.isFull, `${cosimCase.name}: command ${index} finds the queue full`);
    unit.push(index);
  });
  const load = engine.register(() => tokens.fromLoad.give());
  const store = engine.register(() => tokens.fromStore.give());
  arrivals.forEach((cycle, index) => {
    engine.schedule(cycle, push, index);
  });
  for (const cycle of fromLoad) engine.schedule(cycle, load);
  for (const cycle of fromStore) engine.schedule(cycle, store);
  engine.run();
  assert(unit.isIdle, `${cosimCase.name} deadlocks`);
  const output = bytes.slice(map.buffers.output, map.buffers.output + machine.buffers.output.bytes);
  return { toLoad, toStore, output };
}
