/** The dataflows; another one is a file here and a line in both lists. */
import type { DataflowName } from '../config.ts';
import type { Dataflow } from './dataflow.ts';
import { inputStationary } from './input-stationary.ts';
import { outputStationary } from './output-stationary.ts';
import { weightStationary } from './weight-stationary.ts';

export const dataflows: readonly Dataflow[] = [outputStationary, weightStationary, inputStationary];

const byName = Object.fromEntries(dataflows.map((dataflow) => [dataflow.name, dataflow])) as Readonly<
  Record<DataflowName, Dataflow>
>;

/** The dataflow of an array. */
export function dataflowOf({ dataflow }: { readonly dataflow: DataflowName }): Dataflow {
  return byName[dataflow];
}
