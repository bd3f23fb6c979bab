/**
 * Co-simulation of whole layers: small graphs, quantised without calibration, scheduled for a machine, and their DRAM image.
 * The same program then runs on the simulator and on the machine's Verilog (rtl/cosim/program-*.ts).
 */
import { InputError } from './core/diagnostics.ts';
import { containerBytes, formatRange } from './core/fixed-point.ts';
import { product } from './core/integers.ts';
import { hashSeed, randomStream } from './core/random.ts';
import { buildGraph, type NodeDescription } from './graph/build.ts';
import type { AnyOp, Graph, Shape } from './graph/graph.ts';
import type { MachineConfig } from './hw/machine/config.ts';
import type { VerilogModule } from './hw/verilog.ts';
import { add } from './ops/add/add.ts';
import { averagePool } from './ops/average-pool/average-pool.ts';
import { clippedRelu } from './ops/clipped-relu/clipped-relu.ts';
import { convolution } from './ops/convolution/convolution.ts';
import { crossChannelPool } from './ops/cross-channel-pool/cross-channel-pool.ts';
import { leakyRelu } from './ops/leaky-relu/leaky-relu.ts';
import { maxPool } from './ops/max-pool/max-pool.ts';
import { relu } from './ops/relu/relu.ts';
import { sigmoid } from './ops/sigmoid/sigmoid.ts';
import { spaceToDepth } from './ops/space-to-depth/space-to-depth.ts';
import { upsampleNearest } from './ops/upsample-nearest/upsample-nearest.ts';
import { numbersOn } from './pipeline.ts';
import { layerNetwork } from './quant/layers.ts';
import { quantise } from './quant/quantise.ts';
import { seededParameters } from './quant/seeded-weights.ts';
import { makeValues } from './quant/values.ts';
import { Dice } from './rtl/cosim/dice.ts';
import type { ProgramCase } from './rtl/cosim/program-case.ts';
import { compareProgram } from './rtl/cosim/program-compare.ts';
import { type ProgramEngine, type ProgramEngineBuilder, programEngines } from './rtl/cosim/program-engine.ts';
import { writeConstants, writeGivenMaps } from './schedule/image.ts';
import { compileProgram } from './schedule/program.ts';

/** An operator and its attributes; it reads what the one before made, and the network's input too if it says so. */
interface ListedLayer {
  readonly op: AnyOp;
  readonly attributes?: object;
  readonly readsInput?: boolean;
}

export type LayerList = readonly ListedLayer[];

/** A chain of layers as a graph. Throws an `InputError` where they don't fit. */
export function layerGraph(name: string, shape: Shape, layers: LayerList): Graph {
  const nodes = layers.map(
    ({ op, attributes = {}, readsInput = false }, index): NodeDescription => ({
      name: `${op.name}${index}`,
      op,
      attributes,
      inputs: [
        index === 0 ? 'image' : `${layers[index - 1]!.op.name}${index - 1}`,
        ...(readsInput ? ['image'] : []),
      ],
    }),
  );
  const mean = new Array<number>(shape[0]).fill(0);
  return buildGraph({
    name,
    description: 'a layer for co-simulation',
    input: { name: 'image', shape, preparation: { mean, divisor: 1 } },
    nodes,
  });
}

/**
 * A graph's program with weights and an input of a seed, ready to run on both.
 * @param fusion maps may stay on chip, and steps be fused, as far as the machine can
 * @throws InputError where the network does not fit the machine or its datapath
 */
export function layerCase(
  machine: MachineConfig,
  graph: Graph,
  seed: number,
  memory: ProgramCase['memory'],
  fusion = false,
): ProgramCase {
  const { activationBits, weightBits } = machine.peArray;
  if (containerBytes(weightBits) === 2 && weightBits < 16) {
    throw new InputError(
      `peArray.weightBits is ${weightBits}; a network has weights of at most 8 bits or of 16, expected one of these`,
    );
  }
  const numbers = numbersOn(machine, { activationBits, weightBits });
  const network = layerNetwork(graph);
  const dice = new Dice(hashSeed(`numbers of ${graph.name}`, seed));
  // Sums have a variance next to 1 (quant/seeded-weights.ts): some values saturate, most don't.
  const ranges = new Map(
    [graph.input, ...graph.nodes].map(({ name }) => [
      name,
      { low: dice.chance(0.2) ? 0 : -dice.between(4, 12) / 4, high: dice.between(4, 12) / 4 },
    ]),
  );
  const quantised = quantise(network, seededParameters(graph, seed), ranges, numbers);
  const program = compileProgram(network, machine, { virtualFeatureMaps: true, numbers, fusion }, quantised);
  const dram = new Uint8Array(program.layout.totalBytes);
  writeConstants(dram, program, quantised);
  const { format } = quantised.tensors.get(graph.input.name)!;
  const { low, high } = formatRange(format);
  const input = makeValues(format, product(graph.input.shape));
  const random = randomStream(hashSeed('input', seed));
  for (let at = 0; at < input.length; at++) input[at] = low + (random() % (high - low + 1));
  writeGivenMaps(dram, program, quantised, input);
  return { name: graph.name, machine, commands: program.commands, dram, memory };
}

/** How many networks are drawn before one must fit. */
const attempts = 200;

/**
 * One or two small layers drawn at random that the machine has units for, and a memory that answers at random times,
 * sometimes the machine's own.
 */
export function randomLayerCase(machine: MachineConfig, seed: number, number: number): ProgramCase {
  const dice = new Dice(hashSeed(`layer ${number}`, seed));
  let reason = '';
  for (let attempt = 0; attempt < attempts; attempt++) {
    const shape = [dice.between(1, 12), dice.between(2, 20), dice.between(2, 24)] as const;
    const layers = randomLayers(machine, dice, shape);
    const layerSeed = dice.between(0, 2 ** 31);
    const memory = dice.chance(0.2)
      ? ('own' as const)
      : { seed: dice.between(0, 2 ** 31), longest: dice.pick([2, 8, 40, 200]) };
    const staysOnChip = machine.dma.moves && dice.chance(0.5);
    try {
      const name = `seed ${seed} layer ${number} (${layers.map(({ op }) => op.name).join(', ')})`;
      return layerCase(machine, layerGraph(name, shape, layers), layerSeed, memory, staysOnChip);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      reason = error.message;
    }
  }
  throw new InputError(`no small layer can be made for machine '${machine.name}': ${reason}`);
}

function randomLayers(machine: MachineConfig, dice: Dice, [channels]: Shape): LayerList {
  const { crossChannelPool: pooledMaps, spatialPool, requantise } = machine.postProcessing;
  const layers: ListedLayer[] = [];
  if (dice.chance(0.12)) {
    // A sum of maps, as behind a skipped connection.
    layers.push(
      { op: convolution, attributes: { kernel: dice.pick([1, 3]), padding: 'same', filters: channels } },
      { op: add, readsInput: true },
    );
    if (dice.chance(0.5)) layers.push({ op: relu });
    return layers;
  }
  if (dice.chance(0.15)) layers.push({ op: spaceToDepth, attributes: { block: 2 } });
  else if (dice.chance(0.1)) layers.push({ op: upsampleNearest, attributes: { factor: [1, 2] } });
  const ratio = pooledMaps !== null && dice.chance(0.4) ? dice.between(2, pooledMaps.maximumRatio) : 1;
  const window = Math.min(spatialPool?.maximumWindow ?? 0, dice.between(1, 3));
  for (let count = dice.pick([1, 1, 2]); count > 0; count--) {
    const filters =
      ratio * dice.between(1, Math.max(1, Math.floor((2 * machine.peArray.columns + 3) / ratio)));
    const grouped = layers.length === 0 && dice.chance(0.15);
    layers.push({
      op: convolution,
      attributes: {
        kernel: dice.pick([1, 3, [1, 3], [3, 2], 5]),
        stride: dice.pick([1, 1, 1, 2]),
        dilation: dice.pick([1, 1, 1, 2]),
        padding: dice.pick(['same', 'same', 'valid']),
        ...(grouped ? { groups: channels, filters: channels * ratio } : { filters }),
      },
    });
    const activation = dice.pick([undefined, relu, leakyRelu, clippedRelu, sigmoid]);
    if (activation !== undefined && (activation !== sigmoid || requantise.lookupTable !== null)) {
      layers.push({ op: activation });
    }
  }
  if (ratio > 1) layers.push({ op: crossChannelPool, attributes: { ratio } });
  if (window > 0 && dice.chance(0.5)) {
    layers.push({
      op: spatialPool?.average === true ? dice.pick([maxPool, averagePool]) : maxPool,
      attributes: { window, stride: dice.between(1, 2), padding: dice.pick(['valid', 'same']) },
    });
  }
  return layers;
}

/** The layer whose co-simulation the documentation quotes: 3x3 filters, 16 to 32 maps of 52 x 52. */
export function wholeLayerCase(machine: MachineConfig, seed: number): ProgramCase {
  const graph = layerGraph(
    '3x3, 16 to 32 maps of 52 x 52',
    [16, 52, 52],
    [{ op: convolution, attributes: { filters: 32, kernel: 3, padding: 'same' } }, { op: leakyRelu }],
  );
  return layerCase(machine, graph, seed, 'own');
}

/** Totals over programs. */
export interface ProgramTotals {
  /** The engine that ran the Verilog, with its version. */
  readonly engine: string;
  readonly programs: number;
  readonly commands: number;
  readonly cycles: number;
  readonly events: number;
  readonly cycleMismatches: number;
  readonly bytes: number;
  readonly byteMismatches: number;
  readonly firstMismatch: string | undefined;
}

export interface LayerCosimOptions {
  readonly seed: number;
  /** Random small layers. */
  readonly layers: number;
  /** Also `wholeLayerCase`. */
  readonly wholeLayer?: boolean | undefined;
  /** Also this whole network, with weights and an input of the seed. */
  readonly network?: Graph | undefined;
  /** What runs the Verilog; default: JavaScript made of its netlist. */
  readonly build?: ProgramEngineBuilder | undefined;
  /** The machine's Verilog; tests give other. */
  readonly modules?: readonly VerilogModule[] | undefined;
  readonly progress?: ((done: number, total: number) => void) | undefined;
}

/**
 * Layers through simulator and Verilog.
 * @throws InputError where the Verilog cannot express the machine, no layer fits it, or the engine is not there
 */
export async function coSimulateLayers(
  machine: MachineConfig,
  options: LayerCosimOptions,
): Promise<ProgramTotals> {
  const { build = programEngines.javascript, modules } = options;
  const engine = await build(machine, modules);
  try {
    return await compareLayers(engine, machine, options);
  } finally {
    engine.close();
  }
}

async function compareLayers(
  engine: ProgramEngine,
  machine: MachineConfig,
  { seed, layers, wholeLayer = false, network, progress }: LayerCosimOptions,
): Promise<ProgramTotals> {
  const cases = [
    ...Array.from({ length: layers }, (_, number) => () => randomLayerCase(machine, seed, number)),
    ...(wholeLayer ? [() => wholeLayerCase(machine, seed)] : []),
    ...(network === undefined ? [] : [() => layerCase(machine, network, seed, 'own')]),
  ];
  const total = { commands: 0, cycles: 0, events: 0, cycleMismatches: 0, bytes: 0, byteMismatches: 0 };
  let firstMismatch: string | undefined;
  for (const [number, makeCase] of cases.entries()) {
    const programCase = makeCase();
    const found = await compareProgram(engine, programCase);
    total.commands += programCase.commands.length;
    for (const name of ['cycles', 'events', 'cycleMismatches', 'bytes', 'byteMismatches'] as const) {
      total[name] += found[name];
    }
    firstMismatch ??= found.firstMismatch;
    progress?.(number + 1, cases.length);
  }
  return { engine: engine.name, programs: cases.length, ...total, firstMismatch };
}
