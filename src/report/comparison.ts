/** Networks side by side on one machine, and what keeping virtual feature maps on chip saves. */
import { z } from 'zod';
import { crossChannelBytes, describeCrossChannelPool } from '../hw/cross-channel-pool/config.ts';
import { type MachineConfig, totalBufferBytes } from '../hw/machine/config.ts';
import { type RunReport, reportSchemaVersion, runReportSchema } from './run-report.ts';

const saving = z.number().nullable();

export const comparisonSchema = z.strictObject({
  schemaVersion: z.literal(reportSchemaVersion),
  runs: z.array(runReportSchema),
  virtualFeatureMaps: z
    .strictObject({
      convention: z.string().describe('How the stored version moves its maps'),
      featureMapTrafficSaving: saving.describe('1 - on chip / stored, bytes of feature maps of all kinds'),
      totalTrafficSaving: saving.describe('1 - on chip / stored, all bytes'),
      outputsEqual: z.boolean().nullable().describe('Both versions gave the same bytes; null without data'),
      extraBufferBytes: z.int().min(0).describe('Registers of the cross-channel pooling unit'),
      extraBufferFraction: z.number().describe('Of all on-chip bytes, the registers included'),
      unit: z
        .string()
        .nullable()
        .describe('The cross-channel pooling unit: form, lanes, depth, bits; null: the machine has none'),
      extraGates: z
        .number()
        .nullable()
        .describe(
          'NAND2 equivalents of the cross-channel pooling unit; null: this machine has not been synthesised',
        ),
      extraGateFraction: z.number().nullable().describe('Of all gates, the unit included'),
    })
    .describe('Measured on the runs above; savings are null where the two versions were not both run'),
  paperClaims: z
    .strictObject({
      source: z.string(),
      bandwidthSaving: z.number(),
      extraMemoryFraction: z.number(),
      extraGateFraction: z.number(),
    })
    .describe("The paper's own figures; not measured here, its layer table and conventions are not public"),
});

export type Comparison = z.output<typeof comparisonSchema>;

/** The claims of Chen et al., CVPR Workshops 2019, abstract. */
export const paperClaims: Comparison['paperClaims'] = {
  source: 'Chen et al., Condensation-Net, CVPR Workshops 2019 (arXiv 2104.14124)',
  bandwidthSaving: 0.265,
  extraMemoryFraction: 0.002,
  extraGateFraction: 0.01,
};

/** What the cross-channel pooling unit costs in gates, as `condensim area` finds it. */
export interface CcpGates {
  readonly extraGates: number;
  readonly extraGateFraction: number;
}

export function compareRuns(
  runs: readonly RunReport[],
  machine: MachineConfig,
  gates?: CcpGates,
): Comparison {
  const unit = machine.postProcessing.crossChannelPool;
  const extraBufferBytes = crossChannelBytes(unit, machine.peArray);
  const pair = findPair(runs);
  return {
    schemaVersion: reportSchemaVersion,
    runs: [...runs],
    virtualFeatureMaps: {
      convention:
        'a: convolution and spatial maximum in the pipe, pooled maps written; a second pass reads them and keeps the maxima across channels',
      featureMapTrafficSaving: pair && 1 - featureMapBytes(pair.onChip) / featureMapBytes(pair.stored),
      totalTrafficSaving: pair && 1 - pair.onChip.totals.dram.totalBytes / pair.stored.totals.dram.totalBytes,
      outputsEqual: pair && outputsEqual(pair.onChip, pair.stored),
      extraBufferBytes,
      extraBufferFraction: extraBufferBytes / totalBufferBytes(machine),
      unit: unit && describeCrossChannelPool(unit, machine.peArray),
      extraGates: gates?.extraGates ?? null,
      extraGateFraction: gates?.extraGateFraction ?? null,
    },
    paperClaims,
  };
}

/** Bytes of feature maps of every kind. */
export function featureMapBytes(run: RunReport): number {
  const { inputFeatureMaps, outputFeatureMaps, virtualFeatureMaps } = run.totals.dram.byKind;
  return inputFeatureMaps + outputFeatureMaps + virtualFeatureMaps;
}

/** The first network that was run both ways. */
function findPair(runs: readonly RunReport[]): { onChip: RunReport; stored: RunReport } | null {
  for (const onChip of runs) {
    if (onChip.virtualFeatureMaps !== 'on chip') continue;
    const stored = runs.find(
      (run) => run.virtualFeatureMaps === 'stored' && run.model.name === onChip.model.name,
    );
    if (stored !== undefined) return { onChip, stored };
  }
  return null;
}

function outputsEqual(a: RunReport, b: RunReport): boolean | null {
  if (a.outputs.length === 0 || b.outputs.length === 0) return null;
  return JSON.stringify(a.outputs) === JSON.stringify(b.outputs);
}
