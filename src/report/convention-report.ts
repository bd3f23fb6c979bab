/** What virtual feature maps save under every convention of storing them. */
import { z } from 'zod';
import type { ScheduleMinimum } from '../schedule/minima.ts';
import { type StoredConvention, storedConventions } from '../schedule/steps.ts';
import { featureMapBytes, paperClaims } from './comparison.ts';
import { conventionTexts, type RunReport, reportSchemaVersion } from './run-report.ts';

const count = z.int().min(0);

const version = z.strictObject({
  cycles: count,
  featureMapBytes: count,
  totalBytes: count,
  leastFeatureMapBytes: count.describe('The same with every map moved once: no halos, no repeated reads'),
  leastTotalBytes: count.describe('The same with every weight once, and a bias as one weight'),
});

const savings = z.strictObject({ featureMaps: z.number(), total: z.number() });

export const conventionStudySchema = z.strictObject({
  schemaVersion: z.literal(reportSchemaVersion),
  model: z.string(),
  hardware: z.string(),
  mode: z.enum(['full', 'timing']),
  conventions: z.array(
    z.strictObject({
      name: z.enum(storedConventions),
      text: z.string(),
      onChip: version,
      stored: version,
      saved: savings.describe('1 - on chip / stored, as simulated'),
      savedAtLeast: savings.describe('The same of the least bytes'),
      outputsEqual: z.boolean().nullable().describe('Both versions gave the same bytes; null without data'),
    }),
  ),
  paperClaim: z.number().describe("The paper's own figure; its convention is not public"),
  notes: z.array(z.string()).describe('Conventions that move the figures'),
});

export type ConventionStudy = z.output<typeof conventionStudySchema>;

export interface ConventionRun {
  readonly report: RunReport;
  readonly minimum: ScheduleMinimum;
}

export function conventionReport(
  pairs: readonly {
    readonly convention: StoredConvention;
    readonly onChip: ConventionRun;
    readonly stored: ConventionRun;
  }[],
): ConventionStudy {
  const { report } = pairs[0]!.onChip;
  return {
    schemaVersion: reportSchemaVersion,
    model: report.model.name,
    hardware: report.hardware.name,
    mode: report.mode,
    conventions: pairs.map(({ convention, ...runs }) => {
      const onChip = versionOf(runs.onChip);
      const stored = versionOf(runs.stored);
      const outputs = [runs.onChip, runs.stored].map((run) => JSON.stringify(run.report.outputs));
      return {
        name: convention,
        text: conventionTexts[convention],
        onChip,
        stored,
        saved: {
          featureMaps: 1 - onChip.featureMapBytes / stored.featureMapBytes,
          total: 1 - onChip.totalBytes / stored.totalBytes,
        },
        savedAtLeast: {
          featureMaps: 1 - onChip.leastFeatureMapBytes / stored.leastFeatureMapBytes,
          total: 1 - onChip.leastTotalBytes / stored.leastTotalBytes,
        },
        outputsEqual: report.outputs.length === 0 ? null : outputs[0] === outputs[1],
      };
    }),
    paperClaim: paperClaims.bandwidthSaving,
    notes: report.conventions,
  };
}

function versionOf({ report, minimum }: ConventionRun): z.output<typeof version> {
  return {
    cycles: report.totals.cycles,
    featureMapBytes: featureMapBytes(report),
    totalBytes: report.totals.dram.totalBytes,
    leastFeatureMapBytes: minimum.featureMapBytes,
    leastTotalBytes: minimum.featureMapBytes + minimum.weightBytes,
  };
}
