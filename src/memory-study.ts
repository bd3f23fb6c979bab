/** What the memory's rows, banks and refreshes cost a run: the same program with an ideal memory, and at other addresses. */
import { type DramConfig, idleLatencyNs, peakBandwidthMBps } from './hw/dram/config.ts';
import type { MachineConfig } from './hw/machine/config.ts';
import type { Simulation } from './pipeline.ts';
import { type MemoryStudy, memoryStudyReport } from './report/memory-study-report.ts';
import type { Placement } from './schedule/layout.ts';
import { emitProgram } from './schedule/program.ts';
import { runProgram } from './schedule/run.ts';

/**
 * Runs a simulation's program again, without data: on an ideal memory of the same peak bandwidth and idle latency, and
 * in every other layout. Null if the memory is ideal anyway.
 */
export async function studyMemory(simulation: Simulation): Promise<MemoryStudy | null> {
  const { machine, network, program } = simulation;
  if (machine.dram.kind === 'ideal') return null;
  const run = async (dram: DramConfig, placement: Placement) => {
    const other: MachineConfig = { ...machine, dram };
    const again = emitProgram(
      network,
      program.steps,
      other,
      program.numbers,
      program.how,
      undefined,
      placement,
    );
    return (await runProgram(again, other)).result;
  };
  const { dram } = machine;
  const ideal = idealOf(dram);
  // Bank bits above the row's: consecutive rows of addresses are rows of one bank, as if each had been placed there.
  const addressMapping = 'rababgrochco';
  const oneBank = { ...dram, controller: { ...dram.controller, addressMapping } };
  return memoryStudyReport(machine, simulation, { config: ideal, result: await run(ideal, 'packed') }, [
    { layout: 'interleaved', result: await run(dram, 'interleaved') },
    { layout: 'packed', result: await run(dram, 'packed') },
    { layout: 'one bank', result: await run(oneBank, 'packed') },
  ]);
}

/** The ideal memory that a real one is measured against. */
function idealOf(dram: DramConfig): Extract<DramConfig, { kind: 'ideal' }> {
  return {
    kind: 'ideal',
    bandwidthMBps: Math.round(peakBandwidthMBps(dram)),
    latencyNs: Math.round(idleLatencyNs(dram)),
    capacityMiB: 1024,
  };
}
