/** What virtual feature maps save under every convention of storing them, each simulated. */
import { InputError } from './core/diagnostics.ts';
import { type SimulationJob, simulate } from './pipeline.ts';
import { type ConventionRun, type ConventionStudy, conventionReport } from './report/convention-report.ts';
import { runReport } from './report/run-report.ts';
import { scheduleMinimum } from './schedule/minima.ts';
import { ratioOf, type StoredConvention, storedConventions } from './schedule/steps.ts';

/**
 * Runs a network with its virtual maps on chip and stored, under every convention; maps between other layers lie in DRAM.
 * Throws an `InputError` if the network has none or the machine can't keep them on chip.
 */
export async function studyConventions(
  job: Omit<SimulationJob, 'virtualFeatureMaps' | 'convention' | 'fusion'>,
  note: (message: string) => void,
): Promise<ConventionStudy> {
  const run = async (isOnChip: boolean, convention: StoredConvention): Promise<ConventionRun> => {
    note(
      `${job.network.graph.name}: convention ${convention}, virtual maps ${isOnChip ? 'on chip' : 'stored'}`,
    );
    const simulation = await simulate({ ...job, virtualFeatureMaps: isOnChip, convention });
    const { program, network } = simulation;
    if (isOnChip && !program.steps.some(({ step }) => ratioOf(step) > 1 && step.requantised !== undefined)) {
      throw new InputError(
        `--conventions: '${network.graph.name}' has no virtual feature maps on machine '${job.machine.name}', expected cross-channel pooling behind a layer, and a crossChannelPool unit for it`,
      );
    }
    return {
      report: await runReport(simulation, ''),
      minimum: scheduleMinimum(network, program.steps, program.values),
    };
  };
  const pairs: { convention: StoredConvention; onChip: ConventionRun; stored: ConventionRun }[] = [];
  // Conventions differ in how maps are stored; only e also pools elsewhere when they are not.
  const inPipe = await run(true, 'a');
  for (const convention of storedConventions) {
    const onChip = convention === 'e' ? await run(true, 'e') : inPipe;
    pairs.push({ convention, onChip, stored: await run(false, convention) });
  }
  return conventionReport(pairs);
}
