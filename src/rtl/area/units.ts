/** The units of a machine that have gates, and how many of each there are. */
import { crossChannelPoolModules } from '../../hw/cross-channel-pool/verilog.ts';
import type { MachineConfig } from '../../hw/machine/config.ts';
import { peArrayModules } from '../../hw/pe-array/verilog.ts';
import { lookupTableModules } from '../../hw/requantise/table-verilog.ts';
import { requantiseModules } from '../../hw/requantise/verilog.ts';
import type { CountedModule, VerilogModule } from '../../hw/verilog.ts';
import type { SynthesisJob } from './synthesise.ts';

export interface Unit extends SynthesisJob {
  readonly name: string;
  /** Instances in the machine. */
  readonly count: number;
}

/** Every module of the machine that is logic; memories are counted in bits instead. */
export function unitsOf(machine: MachineConfig): readonly Unit[] {
  const modules = modulesOf(machine);
  return modules
    .filter(({ memoryBits }) => memoryBits === undefined)
    .map((module) => ({
      name: module.name,
      count: module.count,
      module,
      below: instantiated(module, modules),
    }));
}

function modulesOf(machine: MachineConfig): readonly CountedModule[] {
  return [
    ...peArrayModules(machine),
    ...requantiseModules(machine),
    ...lookupTableModules(machine),
    ...crossChannelPoolModules(machine),
  ];
}

/** The modules that a module's text instantiates. */
export function instantiated(
  { name, text }: VerilogModule,
  modules: readonly VerilogModule[],
): VerilogModule[] {
  const code = text.replace(/\/\/[^\n]*/g, '');
  return modules.filter(
    (module) => module.name !== name && new RegExp(`^\\s*${module.name}\\s+\\w+\\s*\\(`, 'm').test(code),
  );
}
