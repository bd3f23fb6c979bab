/** Memory files (`hw-configs/dram/`) for a memory that stands alone: YAML to a typed configuration. */
import { parseYaml } from '../config/yaml.ts';
import { InputError } from '../core/diagnostics.ts';
import { dramSchema, type SdramConfig } from '../hw/dram/config.ts';
import { readText } from './read-file.ts';

/**
 * Reads a file that describes an SDRAM; throws an `InputError`, with line and column where there are any, for whatever is
 * wrong with it, and for an ideal memory: it has no controller that a trace could be replayed through.
 */
export function readDramFile(path: string): SdramConfig {
  const { value: dram, positionOf } = parseYaml(readText(path, 'a memory file'), path, dramSchema);
  if (dram.kind !== 'sdram') {
    throw new InputError(
      `kind: an ${dram.kind} memory has no banks and no controller, expected sdram`,
      positionOf(['kind']),
    );
  }
  return dram;
}
