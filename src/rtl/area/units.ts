/** The units of a machine that have gates, and how many of each there are. */
import { assert } from '../../core/diagnostics.ts';
import type { MachineConfig } from '../../hw/machine/config.ts';
import { acceleratorModules } from '../../hw/machine/verilog.ts';
import type { VerilogModule } from '../../hw/verilog.ts';
import type { SynthesisJob } from './synthesise.ts';

export interface Unit extends SynthesisJob {
  readonly name: string;
  /** Instances in the machine. */
  readonly count: number;
}

/** Every module of the machine that is logic; memories are counted in bits instead. */
export function unitsOf(machine: MachineConfig): readonly Unit[] {
  const modules = acceleratorModules(machine);
  for (const module of modules) checkMemories(module);
  return modules
    .filter(({ memoryBits }) => memoryBits === undefined)
    .map((module) => ({
      name: module.name,
      count: module.count,
      module,
      below: instantiated(module, modules),
    }));
}

/** Storage beyond this is no matter of flip-flops, and synthesis would take for ever to make it of them. */
const maximumRegisterFileBits = 16_384;

/** A memory must say that it is one, or it would be synthesised into gates. */
function checkMemories({ name, text, memoryBits }: VerilogModule): void {
  if (memoryBits !== undefined) return;
  for (const [, high, last] of text.matchAll(/\breg\s*(?:signed\s*)?\[(\d+):0\]\s*\w+\s*\[0:(\d+)\]/g)) {
    const bits = (Number(high) + 1) * (Number(last) + 1);
    assert(bits <= maximumRegisterFileBits, `${name} holds ${bits} bits but has no memoryBits`);
  }
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
