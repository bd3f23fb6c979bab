/** `condensim report`: what other commands gave as JSON, as one page for people. */
import type { Command } from 'commander';
import type { z } from 'zod';
import { jsonTree } from '../config/json.ts';
import { positionAt, type SourceText, validate } from '../config/source.ts';
import { InputError } from '../core/diagnostics.ts';
import type { MachineConfig } from '../hw/machine/config.ts';
import { readBytes } from '../import/read-file.ts';
import { writeFileAtomically } from '../import/write-file.ts';
import { type AreaReport, areaReport, areaReportSchema } from '../report/area-report.ts';
import { type Comparison, comparisonSchema } from '../report/comparison.ts';
import { reportPage } from '../report/page.ts';
import type { PageData } from '../report/page-data.ts';
import { type RunReport, reportSchemaVersion, runReportSchema } from '../report/run-report.ts';
import { type ValidationReport, validationReportSchema } from '../report/validation-table.ts';
import { knownMachineArea } from '../rtl/area/measure.ts';
import { ownLibrary, synthesisMethod } from '../rtl/area/synthesise.ts';
import { FileCache, userCacheFolder } from './area-cache.ts';
import { addCommand } from './options.ts';
import type { Output } from './output.ts';

const maximumBytes = 64 * 1024 * 1024;

export function addReport(program: Command, output: Output): void {
  addCommand(program, 'report', 'results of other commands as one page to look at, without a network')
    .argument(
      '<files...>',
      'JSON of simulate or compare, and of area and validate beside them; with --details they hold time lines',
    )
    .requiredOption('--out <file>', 'the page, an HTML file')
    .action((files: string[], { out }: { out: string }) => {
      writePage(out, readReports(files), output);
    });
}

/** Writes the page, and says so where somebody may be waiting. */
export function writePage(path: string, data: PageData, output: Output): void {
  writeFileAtomically(path, reportPage(data));
  output.note(`${path}: written`);
}

/** The gates of a machine for its page: one report, or none where anything would have to be synthesised. */
export async function knownAreas(machine: MachineConfig): Promise<AreaReport[]> {
  const library = ownLibrary();
  const area = await knownMachineArea(machine, library, new FileCache(userCacheFolder()));
  if (area === undefined) return [];
  return [
    areaReport(machine, area, {
      gateUnit: 'NAND2 equivalents (transistors / 4)',
      library: library.name,
      synthesiser: 'Yosys, remembered from an earlier synthesis',
      passes: synthesisMethod,
    }),
  ];
}

/** What the page is made from, out of files of any order; throws an `InputError` for the first one that is wrong. */
export function readReports(files: readonly string[]): PageData {
  const runs: RunReport[] = [];
  const areas: AreaReport[] = [];
  const validations: ValidationReport[] = [];
  let comparison: Comparison | undefined;
  for (const file of files) {
    const source = { file, text: readLargeText(file) };
    const root = jsonTree(source, maximumBytes);
    const has = (key: string) => root.entries?.has(key) === true;
    checkVersion(source, root);
    const checked = <S extends z.ZodType>(schema: S): z.output<S> => validate(source, root, schema).value;
    if (has('runs')) {
      const compared = checked(comparisonSchema);
      runs.push(...compared.runs);
      comparison ??= compared;
    } else if (has('units') || has('totalGates')) areas.push(checked(areaReportSchema));
    else if (has('acceleratorEqualsInteger')) validations.push(checked(validationReportSchema));
    else if (has('totals') || has('layers') || has('model')) runs.push(checked(runReportSchema));
    else {
      throw new InputError(
        'is none of the reports that a page shows, expected JSON of simulate, compare, area or validate',
        { file },
      );
    }
  }
  if (runs.length === 0) {
    throw new InputError('report: no run among the files, expected JSON of simulate or compare');
  }
  return { runs, comparison: comparison ?? null, areas, validations };
}

function checkVersion(source: SourceText, root: ReturnType<typeof jsonTree>): void {
  const version = root.entries?.get('schemaVersion');
  if (version === undefined) {
    throw new InputError(`missing key 'schemaVersion', expected a report with ${reportSchemaVersion}`, {
      file: source.file,
    });
  }
  if (version.node.value !== reportSchemaVersion) {
    throw new InputError(
      `schemaVersion is ${JSON.stringify(version.node.value)}, expected ${reportSchemaVersion}: another version of condensim wrote this`,
      positionAt(source, version.node.offset),
    );
  }
}

function readLargeText(file: string): string {
  const bytes = readBytes(file, 'a report in JSON', maximumBytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new InputError('is not UTF-8 text, expected a report in JSON', { file });
  }
}
