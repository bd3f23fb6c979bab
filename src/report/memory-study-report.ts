/** Layer by layer, what a real memory costs beside an ideal one; and what other layouts in it would have cost. */
import { z } from 'zod';
import type { IdealDramConfig } from '../hw/dram/config.ts';
import type { MachineConfig } from '../hw/machine/config.ts';
import type { MachineResult } from '../hw/machine/machine.ts';
import type { Program } from '../schedule/program.ts';
import { passName } from '../schedule/steps.ts';
import { memoryReport, memoryReportSchema } from './memory-report.ts';

const count = z.int().min(0);

/**
 * Layouts that are compared: the compiler's (rows aligned, maps read and written in different banks), everything one behind
 * the other, and the worst one there is: everything in the rows of a single bank.
 */
export const layoutNames = ['interleaved', 'packed', 'one bank'] as const;
export type LayoutName = (typeof layoutNames)[number];

export const memoryStudySchema = z
  .strictObject({
    ideal: z
      .strictObject({ bandwidthMBps: count, latencyNs: count, cycles: count })
      .describe(
        'The same program on a memory of the same peak bandwidth and idle latency without rows and banks',
      ),
    layers: z.array(
      z.strictObject({
        name: z.string(),
        cycles: count,
        idealCycles: count,
        activates: count,
        refreshes: count,
        turnarounds: count,
        waitCycles: memoryReportSchema.shape.waitCycles,
      }),
    ),
    layouts: z
      .array(
        z.strictObject({
          layout: z.enum(layoutNames),
          cycles: count,
          rowHits: count,
          activates: count,
          waitCycles: memoryReportSchema.shape.waitCycles,
        }),
      )
      .describe('The same program at other addresses; the first is the one the compiler chooses'),
  })
  .describe("What the memory's rows, banks and refreshes cost");

export type MemoryStudy = z.output<typeof memoryStudySchema>;

export function memoryStudyReport(
  { dram, clockMHz }: MachineConfig,
  { result, program }: { result: MachineResult; program: Pick<Program, 'steps' | 'passes'> },
  ideal: { config: IdealDramConfig; result: MachineResult },
  layouts: readonly { layout: LayoutName; result: MachineResult }[],
): MemoryStudy {
  const { bandwidthMBps, latencyNs } = ideal.config;
  return {
    ideal: { bandwidthMBps, latencyNs, cycles: ideal.result.cycles },
    layers: result.steps.map(({ startCycle, endCycle, sdram }, index) => {
      const { activates, refreshes, memory } = memoryReport(dram, clockMHz, [sdram]);
      const { first, end } = program.passes[index]!;
      const steps = program.steps.slice(first, end).map(({ step }) => step);
      const without = ideal.result.steps[index]!;
      return {
        name: passName(steps),
        cycles: endCycle - startCycle,
        idealCycles: without.endCycle - without.startCycle,
        activates,
        refreshes,
        turnarounds: memory!.turnarounds,
        waitCycles: memory!.waitCycles,
      };
    }),
    layouts: layouts.map(({ layout, result: run }) => {
      const { rowHits, activates, memory } = memoryReport(
        dram,
        clockMHz,
        run.steps.map((step) => step.sdram),
      );
      return { layout, cycles: run.cycles, rowHits, activates, waitCycles: memory!.waitCycles };
    }),
  };
}
