/**
 * What the mapping search reaches on edge-256 with its real memory: utilisation, speed and traffic with every layer in DRAM
 * and with fusion, beside the targets; what the search takes and how far its estimates are off; and the saving of virtual
 * maps under every stored convention. All runs in timing mode.
 */
import { studyConventions } from '../src/convention-study.ts';
import { product, sum } from '../src/core/integers.ts';
import { crossChannelBytes } from '../src/hw/cross-channel-pool/config.ts';
import { totalBufferBytes } from '../src/hw/machine/config.ts';
import { readMachineFile } from '../src/import/machine-yaml.ts';
import { loadNetwork, numbersOn, simulate } from '../src/pipeline.ts';
import { conventionTable } from '../src/report/convention-table.ts';
import { type RunReport, runReport } from '../src/report/run-report.ts';
import { formatTable, grouped, percent, plainStyle } from '../src/report/tables.ts';
import { closedFormTraffic } from '../src/schedule/closed-form.ts';
import { passBounds } from '../src/schedule/minima.ts';
import { compileProgram, type Program } from '../src/schedule/program.ts';

const models = ['tiny-yolov2', 'condensation-net', 'separable-tiny-yolov2-face'];

interface Figure {
  readonly model: string;
  readonly fusion: 'off' | 'on';
  readonly cycles: number;
  readonly macUtilization: number;
  readonly framesPerSecond: number;
  /** Of the passes' bounds, in which a layer's post-processing may hide behind another's arithmetic. */
  readonly ofBound: number;
  /** Of the layers' bounds, one after the other: array or post-processing, whichever takes longer. */
  readonly ofLayerBounds: number;
  readonly dramBytes: number;
  readonly ofLayerByLayerMinimum: number;
  readonly ofNetworkMinimum: number;
  readonly searchCpuSeconds: number;
  /** What was moved beyond the network's minimum. */
  readonly excess: readonly Excess[];
  /** Of the whole run, and the worst pass's. */
  readonly estimateError: number;
  readonly worstEstimateError: number;
}

/** Bytes moved beyond the network's minimum, by cause. */
interface Excess {
  readonly what: string;
  readonly bytes: number;
}

interface Target {
  readonly what: string;
  readonly model: string;
  readonly fusion: 'off' | 'on';
  readonly part: keyof Figure;
  readonly least?: number;
  readonly most?: number;
}

const targets: readonly Target[] = [
  { what: 'PE utilisation', model: 'tiny-yolov2', fusion: 'off', part: 'macUtilization', least: 0.92 },
  { what: 'PE utilisation', model: 'tiny-yolov2', fusion: 'on', part: 'macUtilization', least: 0.92 },
  { what: 'frames/s', model: 'tiny-yolov2', fusion: 'off', part: 'framesPerSecond', least: 27 },
  { what: 'frames/s', model: 'tiny-yolov2', fusion: 'on', part: 'framesPerSecond', least: 27 },
  { what: 'frames/s', model: 'condensation-net', fusion: 'off', part: 'framesPerSecond', least: 21 },
  { what: 'frames/s', model: 'condensation-net', fusion: 'on', part: 'framesPerSecond', least: 21 },
  {
    what: "of layers' bounds",
    model: 'separable-tiny-yolov2-face',
    fusion: 'on',
    part: 'ofLayerBounds',
    least: 0.85,
  },
  {
    what: "of passes' bounds",
    model: 'separable-tiny-yolov2-face',
    fusion: 'on',
    part: 'ofBound',
    least: 0.85,
  },
  ...models.flatMap((model): Target[] => [
    { what: 'DRAM / layer by layer', model, fusion: 'off', part: 'ofLayerByLayerMinimum', most: 1.01 },
    { what: 'DRAM / network', model, fusion: 'on', part: 'ofNetworkMinimum', most: 1.05 },
  ]),
];

export async function run(json: boolean): Promise<void> {
  const machine = readMachineFile('hw-configs/edge-256.yaml');
  const figures: Figure[] = [];
  for (const model of models) {
    for (const fusion of ['off', 'on'] as const) figures.push(await measure(machine, model, fusion));
  }
  const ccpBytes = crossChannelBytes(machine.postProcessing.crossChannelPool, machine.peArray);
  const { network } = loadNetwork('models/condensation-net.yaml');
  const conventions = await studyConventions({ network, machine }, () => {});
  if (json) {
    console.log(JSON.stringify({ figures, ccpBytes, conventions }, undefined, 2));
    return;
  }
  console.log(
    `${machine.name}: ${grouped(totalBufferBytes(machine))} bytes on chip, ${ccpBytes} of them for cross-channel pooling (target: at most 512)\n`,
  );
  console.log(figureTable(figures));
  console.log(targetTable(figures));
  console.log(excessTable(figures));
  console.log(conventionTable(conventions, plainStyle));
}

async function measure(
  machine: ReturnType<typeof readMachineFile>,
  model: string,
  fusion: 'off' | 'on',
): Promise<Figure> {
  const { network } = loadNetwork(`models/${model}.yaml`);
  const isOn = fusion === 'on';
  const before = process.cpuUsage();
  compileProgram(network, machine, { virtualFeatureMaps: true, fusion: isOn, numbers: numbersOn(machine) });
  const { user, system } = process.cpuUsage(before);
  const simulation = await simulate({ network, machine, virtualFeatureMaps: true, fusion: isOn });
  const { totals }: RunReport = await runReport(simulation, '');
  const { program, result } = simulation;
  const estimates = program.passes.map(({ first }, pass) => {
    const { startCycle, endCycle } = result.steps[pass]!;
    return { estimated: program.steps[first]!.estimate!.cycles, measured: endCycle - startCycle };
  });
  const errors = estimates.map(({ estimated, measured }) => Math.abs(estimated / measured - 1));
  const layerBounds = program.steps.map(({ step }) => {
    const { computeCycles, postProcessingCycles } = passBounds([step], 0, machine);
    return Math.max(computeCycles, postProcessingCycles);
  });
  const { totalBytes, minima } = totals.dram;
  return {
    model,
    fusion,
    cycles: totals.cycles,
    macUtilization: totals.macUtilization,
    framesPerSecond: totals.framesPerSecond,
    ofBound: totals.bounds.fraction,
    ofLayerBounds: sum(layerBounds) / totals.cycles,
    dramBytes: totalBytes,
    ofLayerByLayerMinimum: totalBytes / minima.layerByLayerBytes,
    ofNetworkMinimum: totalBytes / minima.networkBytes,
    searchCpuSeconds: (user + system) / 1e6,
    excess: excessOf(program, network.parameters),
    estimateError: Math.abs(sum(estimates.map(({ estimated }) => estimated)) / totals.cycles - 1),
    worstEstimateError: Math.max(...errors),
  };
}

/** Of a program, pass by pass: weights and records beyond the parameters, and maps that are stored and read again. */
function excessOf({ graph, steps, outputs, values }: Program, parameters: number): Excess[] {
  const traffic = steps.map((tiled) => ({ ...closedFormTraffic(tiled, values), step: tiled.step }));
  const weights = sum(traffic.map(({ weightBytes }) => weightBytes));
  const maps = traffic.flatMap(({ step, outputBytes }) => {
    const readers = traffic.filter((other) => other.step.inputs.includes(step.output));
    const bytes =
      (outputs.includes(step.output) ? 0 : outputBytes) + sum(readers.map((one) => one.inputBytes));
    return [{ what: `map of ${step.name}, stored and read`, bytes }];
  });
  const input = sum(
    traffic.filter(({ step }) => step.inputs.includes(graph.input.name)).map(({ inputBytes }) => inputBytes),
  );
  return [
    { what: 'records, and weights read again', bytes: weights - parameters * values.weightBytes },
    { what: 'input read again', bytes: input - product(graph.input.shape) * values.elementBytes },
    ...maps,
  ].filter(({ bytes }) => bytes > 0);
}

function excessTable(figures: readonly Figure[]): string {
  return formatTable(
    [
      { heading: 'Moved beyond the minimum, with fusion', align: 'left' },
      { heading: 'network', align: 'left' },
      { heading: 'bytes', align: 'right' },
      { heading: 'of the minimum (%)', align: 'right' },
    ],
    figures
      .filter(({ fusion }) => fusion === 'on')
      .flatMap(({ model, excess, dramBytes, ofNetworkMinimum }) =>
        excess.map(({ what, bytes }) => [
          what,
          model.slice(0, 17),
          grouped(bytes),
          percent((bytes * ofNetworkMinimum) / dramBytes, 2),
        ]),
      ),
    plainStyle,
  );
}

function figureTable(figures: readonly Figure[]): string {
  const row = (heading: string, cell: (figure: Figure) => string) => [heading, ...figures.map(cell)];
  return formatTable(
    [
      { heading: 'Network', align: 'left' },
      ...figures.map(({ model }) => ({ heading: model.slice(0, 9), align: 'right' as const })),
    ],
    [
      row('fusion', (figure) => figure.fusion),
      row('cycles (1,000)', ({ cycles }) => grouped(Math.round(cycles / 1000))),
      row('PE utilisation (%)', (figure) => percent(figure.macUtilization)),
      row('frames/s', ({ framesPerSecond }) => framesPerSecond.toFixed(2)),
      row("of layers' bounds (%)", ({ ofLayerBounds }) => percent(ofLayerBounds)),
      row("of passes' bounds (%)", ({ ofBound }) => percent(ofBound)),
      row('DRAM (1,000 B)', ({ dramBytes }) => grouped(Math.round(dramBytes / 1000))),
      row('  / layers', (figure) => figure.ofLayerByLayerMinimum.toFixed(3)),
      row('  / network', (figure) => figure.ofNetworkMinimum.toFixed(3)),
      row('search (CPU s)', ({ searchCpuSeconds }) => searchCpuSeconds.toFixed(2)),
      row('estimate off (%)', ({ estimateError }) => percent(estimateError, 2)),
      row('  worst pass (%)', ({ worstEstimateError }) => percent(worstEstimateError)),
    ],
    plainStyle,
  );
}

function targetTable(figures: readonly Figure[]): string {
  return formatTable(
    [
      { heading: 'Target', align: 'left' },
      { heading: 'network', align: 'left' },
      { heading: 'fusion', align: 'left' },
      { heading: 'reached', align: 'right' },
      { heading: 'asked', align: 'right' },
      { heading: '', align: 'left' },
    ],
    targets.map(({ what, model, fusion, part, least, most }) => {
      const figure = figures.find((one) => one.model === model && one.fusion === fusion)!;
      const value = figure[part] as number;
      const isMet = value >= (least ?? 0) && value <= (most ?? Number.POSITIVE_INFINITY);
      const asked = least === undefined ? `<= ${most}` : `>= ${least}`;
      return [what, model.slice(0, 17), fusion, value.toFixed(3), asked, isMet ? 'met' : 'missed'];
    }),
    plainStyle,
  );
}
