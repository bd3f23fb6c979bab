/** What runs programs on the whole machine's Verilog. */
import type { MachineConfig } from '../../hw/machine/config.ts';
import { acceleratorModules } from '../../hw/machine/verilog.ts';
import type { VerilogModule } from '../../hw/verilog.ts';
import { compiledEngineName } from './compiled-run.ts';
import type { EngineName } from './engine.ts';
import { icarus, type NativeTool, nativeBench, verilator } from './native-engine.ts';
import { programBench, programBenchVerilog } from './program-bench-verilog.ts';
import type { AnswerDelays, ProgramCase, ProgramResult } from './program-case.ts';
import { compileAccelerator, runProgramCompiled } from './program-compiled.ts';
import { programFiles, readProgramBench } from './program-files.ts';

export interface ProgramEngine {
  /** Name and version, for reports. */
  readonly name: string;
  /**
   * Runs a program until its last barrier, or `limit` cycles.
   * @param expected what the simulator saw; a testbench compares with it too
   */
  run(programCase: ProgramCase, expected: ProgramResult, delays: AnswerDelays, limit: number): ProgramResult;
  /** Removes what it has left on the disk. */
  close(): void;
}

export type ProgramEngineBuilder = (
  machine: MachineConfig,
  modules?: readonly VerilogModule[],
) => Promise<ProgramEngine>;

/** Every engine by its name on the command line. */
export const programEngines: Readonly<Record<EngineName, ProgramEngineBuilder>> = {
  javascript: async (machine, modules) => {
    const model = await compileAccelerator(machine, modules);
    return {
      name: await compiledEngineName(),
      run: (programCase, _expected, delays, limit) => runProgramCompiled(model, programCase, delays, limit),
      close: () => undefined,
    };
  },
  icarus: async (machine, modules) => buildNativeProgram(icarus, machine, modules),
  verilator: async (machine, modules) => buildNativeProgram(verilator, machine, modules),
};

function buildNativeProgram(
  tool: NativeTool,
  machine: MachineConfig,
  modules: readonly VerilogModule[] = acceleratorModules(machine),
): ProgramEngine {
  const bench = nativeBench(tool, modules, { name: programBench, text: programBenchVerilog(machine) });
  return {
    name: bench.name,
    run(programCase, expected, delays, limit) {
      const files = programFiles(programCase, expected, delays, limit);
      const { printed, seen } = bench.run('program', files);
      return readProgramBench(programCase, printed, seen);
    },
    close: bench.close,
  };
}
