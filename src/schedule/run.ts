/** Runs a compiled program on the machine, with data (full) or without (timing). */
import { InputError } from '../core/diagnostics.ts';
import type { Shape } from '../graph/graph.ts';
import type { IntegerValues } from '../graph/op.ts';
import { decodeProgram, encodeProgram } from '../hw/isa/encode.ts';
import type { MachineConfig } from '../hw/machine/config.ts';
import { DataPath } from '../hw/machine/data-path.ts';
import { withoutLimits } from '../hw/machine/ideal.ts';
import { runIdeal } from '../hw/machine/ideal-run.ts';
import { type MachineResult, runMachine } from '../hw/machine/machine.ts';
import { memoryMap } from '../hw/machine/memory-map.ts';
import { createMemory, loadKernels, MAXIMUM_MEMORY_BYTES } from '../kernels/kernels.ts';
import type { QuantisedNetwork } from '../quant/quantised.ts';
import { makeValues } from '../quant/values.ts';
import type { Observer, ProgressListener } from '../sim/trace.ts';
import { flat, readMap, writeConstants, writeGivenMaps } from './image.ts';
import type { Program } from './program.ts';

/** What a full run starts from. */
export interface RunData {
  readonly quantised: QuantisedNetwork;
  /** The network's input, [channels][rows][columns]. */
  readonly input: IntegerValues;
}

export interface RunOptions {
  readonly data?: RunData | undefined;
  readonly observer?: Observer | undefined;
  readonly onProgress?: ProgressListener | undefined;
  /** Which maps to copy out of DRAM when their pass ends, if they get there; the network's outputs always are. */
  readonly keep?: (tensor: string) => boolean;
}

export interface ProgramRun {
  readonly result: MachineResult;
  /** [channels][rows][columns] by tensor name; empty in timing mode. */
  readonly tensors: ReadonlyMap<string, IntegerValues>;
  /** Additions that left the accumulator; 0 in timing mode. */
  readonly overflows: number;
}

/**
 * Executes the program's encoded words. Cycles and bytes do not depend on whether data flow.
 */
export async function runProgram(
  program: Program,
  described: MachineConfig,
  { data, observer, onProgress, keep = () => false }: RunOptions = {},
): Promise<ProgramRun> {
  const machine = withoutLimits(described);
  const runCommands = machine.memory === 'ideal-infinite' ? runIdeal : runMachine;
  const commands = decodeProgram(encodeProgram(program.commands));
  const tensors = new Map<string, IntegerValues>();
  if (data === undefined) {
    return { result: runCommands(machine, commands, { observer, onProgress }), tensors, overflows: 0 };
  }

  const map = memoryMap(machine, commands, program.layout.totalBytes);
  if (map.totalBytes > MAXIMUM_MEMORY_BYTES) {
    throw new InputError(
      `a full run of '${program.graph.name}' needs ${map.totalBytes} bytes of memory, expected at most ${MAXIMUM_MEMORY_BYTES}; timing mode needs none`,
    );
  }
  const memory = createMemory(map.totalBytes);
  const kernels = await loadKernels(memory);
  const dram = new Uint8Array(memory.buffer, map.dram, program.layout.totalBytes);
  writeConstants(dram, program, data.quantised);
  writeGivenMaps(dram, program, data.quantised, data.input);

  const { planarMaps } = program.layout;
  const shapes = tensorShapes(program);
  const dataPath = new DataPath(kernels, map, memory, machine);
  const { activations } = data.quantised.numbers;
  const result = runCommands(machine, commands, {
    data: dataPath,
    observer,
    onProgress,
    onStep(index) {
      const { first, end } = program.passes[index]!;
      for (const { step, places } of program.steps.slice(first, end)) {
        const { output } = step;
        if (places?.output !== undefined || !(keep(output) || program.outputs.includes(output))) continue;
        const address = program.layout.maps.get(output)!;
        const shape = shapes.get(output)!;
        // (A map that its pass sees as one tall channel is [row][channel][column] all the same.)
        const isPlanar = planarMaps.has(output) && (step.isFlat === true || step.outputShape[1] === shape[1]);
        const bytes = readMap(dram, address, isPlanar ? flat(shape) : shape, program.values.elementBytes);
        const values = makeValues(activations, bytes.length / program.values.elementBytes);
        new Uint8Array(values.buffer).set(bytes);
        tensors.set(output, values);
      }
    },
  });
  return { result, tensors, overflows: dataPath.overflows };
}

/** Shapes of the maps that steps leave in DRAM, as the network sees them. */
function tensorShapes(program: Program): Map<string, Shape> {
  const shapes = new Map<string, Shape>();
  for (const { step } of program.steps) {
    const [, rows, columns] = step.outputShape;
    shapes.set(step.output, [step.outputChannels.total, rows, columns]);
  }
  // A pass may see a map as one tall channel, and the layer whose tensor it makes may belong to an earlier pass.
  for (const layer of program.steps.flatMap(({ step }) => step.layers)) {
    if (shapes.has(layer.output)) shapes.set(layer.output, layer.outputShape);
  }
  return shapes;
}
