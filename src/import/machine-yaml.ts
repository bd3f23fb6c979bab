/** Machine files: YAML to a typed configuration. */
import { dirname, isAbsolute, join } from 'node:path';
import { parseYaml } from '../config/yaml.ts';
import { InputError } from '../core/diagnostics.ts';
import { type DramConfig, dramSchema } from '../hw/dram/config.ts';
import { type MachineConfig, machineFileSchema } from '../hw/machine/config.ts';
import { readText } from './read-file.ts';

/**
 * Reads a machine's text; throws an `InputError` with line and column for whatever is wrong with it. A memory in a file
 * of its own is read too, from `file`'s folder.
 */
export function readMachine(text: string, file: string): MachineConfig {
  const { value: machine, positionOf } = parseYaml(text, file, machineFileSchema);
  // An array that reads more lanes than there are banks would conflict on every step: surely not what was meant.
  if (machine.buffers.feature.banks < machine.peArray.rows) {
    throw new InputError(
      `buffers.feature.banks: ${machine.buffers.feature.banks} banks feed ${machine.peArray.rows} rows, expected at least ${machine.peArray.rows}`,
      positionOf(['buffers', 'feature', 'banks']),
    );
  }
  const { rows, columns, depthwise } = machine.peArray;
  const side = depthwise?.kernel ?? 0;
  if (side > rows || side ** 2 > columns) {
    throw new InputError(
      `peArray.depthwise.kernel: ${side} x ${side} taps need an array of ${side} rows and ${side ** 2} columns, expected a smaller kernel than the ${rows} x ${columns} elements allow, or null`,
      positionOf(['peArray', 'depthwise', 'kernel']),
    );
  }
  if (machine.dram.kind !== 'file') return { ...machine, dram: machine.dram };
  const { path } = machine.dram;
  return { ...machine, dram: readDram(isAbsolute(path) ? path : join(dirname(file), path)) };
}

function readDram(path: string): DramConfig {
  return parseYaml(readText(path, 'a memory file'), path, dramSchema).value;
}

/** Reads a machine file; throws as `readMachine` does, and when there is no such file. */
export function readMachineFile(path: string): MachineConfig {
  return readMachine(readText(path, 'a machine file'), path);
}
