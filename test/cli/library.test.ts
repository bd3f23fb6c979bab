/** What the README promises to users of the library. */
import { expect, it } from 'vitest';
import {
  compareRuns,
  InputError,
  loadInput,
  loadNetwork,
  numbersOn,
  quantiseNetwork,
  readMachineFile,
  readModel,
  runReport,
  simulate,
} from '../../src/index.ts';
import { edge256, example } from './command-line.ts';

it('does what the command line does', async () => {
  const machine = readMachineFile(edge256);
  const loaded = loadNetwork(example, { seed: 3 });
  const input = loadInput(loaded.graph, undefined, 3);
  const quantised = await quantiseNetwork(loaded, [input], { numbers: numbersOn(machine) });
  const { network } = loaded;
  const data = { quantised, input: input.values };
  const reports = [];
  for (const virtualFeatureMaps of [true, false]) {
    const simulation = await simulate({ network, machine, virtualFeatureMaps, data });
    reports.push(await runReport(simulation, loaded.weightSource));
  }
  expect(compareRuns(reports, machine).virtualFeatureMaps.outputsEqual).toBe(true);
  expect(() => readModel('name: 1', 'x.yaml')).toThrow(InputError);
});
