/** What the page of a report is made from. It travels inside the page as JSON. */
import type { AreaReport } from './area-report.ts';
import type { Comparison } from './comparison.ts';
import type { RunDetails } from './run-details.ts';
import type { RunReport } from './run-report.ts';
import type { ValidationReport } from './validation-table.ts';

export interface PageData {
  /** At least one. */
  readonly runs: readonly RunReport[];
  /** What keeping virtual maps on chip saves, where it was measured. */
  readonly comparison: Pick<Comparison, 'virtualFeatureMaps' | 'paperClaims'> | null;
  readonly areas: readonly AreaReport[];
  readonly validations: readonly ValidationReport[];
}

export type { AreaReport, Comparison, RunDetails, RunReport, ValidationReport };
