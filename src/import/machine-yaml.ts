/** Machine files: YAML to a typed configuration. */
import { dirname, isAbsolute, join } from 'node:path';
import { parseYaml } from '../config/yaml.ts';
import { InputError } from '../core/diagnostics.ts';
import { type DramConfig, dramSchema } from '../hw/dram/config.ts';
import { type MachineConfig, machineFileSchema } from '../hw/machine/config.ts';
import { idealSections } from '../hw/machine/ideal.ts';
import { dataflowOf } from '../hw/pe-array/dataflows/index.ts';
import { readText } from './read-file.ts';

/**
 * Reads a machine's text; throws an `InputError` with line and column for whatever is wrong with it. A memory in a file
 * of its own is read too, from `file`'s folder.
 */
export function readMachine(text: string, file: string): MachineConfig {
  const { value: described, positionOf } = parseYaml(text, file, machineFileSchema);
  const { memory, peArray, postProcessing } = described;
  for (const section of ['buffers', 'dma', 'sequencer', 'dram'] as const) {
    if (described[section] === undefined && memory === 'modelled') {
      throw new InputError(
        `${section}: missing, expected this section unless memory is ideal-infinite`,
        positionOf([]),
      );
    }
  }
  const {
    buffers = idealSections.buffers,
    dma = idealSections.dma,
    sequencer = idealSections.sequencer,
    dram = idealSections.dram,
  } = described;
  // An array that reads more lanes than there are banks would conflict on every step: surely not what was meant.
  const { banks } = buffers.feature;
  const lanes = Math.max(peArray.rows, dataflowOf(peArray).featureLanes(peArray));
  if (banks < lanes && memory === 'modelled') {
    throw new InputError(
      `buffers.feature.banks: ${banks} banks feed ${lanes} ${lanes > peArray.rows ? 'columns' : 'rows'}, expected at least ${lanes}`,
      positionOf(['buffers', 'feature', 'banks']),
    );
  }
  const { rows, columns, depthwise } = peArray;
  const side = depthwise?.kernel ?? 0;
  if (side > rows || side ** 2 > columns) {
    throw new InputError(
      `peArray.depthwise.kernel: ${side} x ${side} taps need an array of ${side} rows and ${side ** 2} columns, expected a smaller kernel than the ${rows} x ${columns} elements allow, or null`,
      positionOf(['peArray', 'depthwise', 'kernel']),
    );
  }
  const isUsual = peArray.dataflow === 'output-stationary';
  if (peArray.products !== 'flattened' && isUsual) {
    throw new InputError(
      'peArray.products: the rows of an output-stationary array are pixels, expected flattened',
      positionOf(['peArray', 'products']),
    );
  }
  if (depthwise !== null && !(isUsual && peArray.feed === 'broadcast')) {
    throw new InputError(
      'peArray.depthwise: only output-stationary broadcast arrays have this mode, expected null',
      positionOf(['peArray', 'depthwise']),
    );
  }
  if (postProcessing.crossChannelPool?.form === 'tree' && !isUsual) {
    throw new InputError(
      'postProcessing.crossChannelPool.form: a tree takes neighbouring columns of an output-stationary array, expected running',
      positionOf(['postProcessing']),
    );
  }
  const machine = { ...described, buffers, dma, sequencer };
  if (dram.kind !== 'file') return { ...machine, dram };
  const { path } = dram;
  return { ...machine, dram: readDram(isAbsolute(path) ? path : join(dirname(file), path)) };
}

function readDram(path: string): DramConfig {
  return parseYaml(readText(path, 'a memory file'), path, dramSchema).value;
}

/** Reads a machine file; throws as `readMachine` does, and when there is no such file. */
export function readMachineFile(path: string): MachineConfig {
  return readMachine(readText(path, 'a machine file'), path);
}
