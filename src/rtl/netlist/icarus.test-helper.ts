/** Icarus Verilog as a second opinion, where it is installed. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ModelPort } from './model.ts';

/** Whether `iverilog` and `vvp` can be run. */
export const hasIcarus = ((): boolean => {
  try {
    execFileSync('iverilog', ['-V'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

/** Values of ports by name, as unsigned integers. */
export type Values = Readonly<Record<string, bigint>>;

/**
 * What the outputs show in each cycle, before its rising edge; one that has undefined bits is left out.
 *
 * @param ports of the module `top`; its clock is driven here.
 * @param stimuli for each cycle a value for every other input.
 */
export function runIcarus(
  verilog: string,
  top: string,
  ports: readonly ModelPort[],
  stimuli: readonly Values[],
): Record<string, bigint>[] {
  const inputs = ports.filter(({ direction, clock }) => direction === 'input' && !clock);
  const outputs = ports.filter(({ direction }) => direction === 'output');
  const clock = ports.find((port) => port.clock);
  const folder = mkdtempSync(join(tmpdir(), 'icarus-'));
  try {
    const width = inputs.reduce((total, { bits }) => total + bits, 0);
    const lines = stimuli.map((values) => {
      const packed = inputs.reduce(
        (all, { name, bits }) => (all << BigInt(bits)) | BigInt.asUintN(bits, values[name]!),
        0n,
      );
      return packed.toString(16);
    });
    writeFileSync(join(folder, 'stimuli.hex'), `${lines.join('\n')}\n`);
    writeFileSync(join(folder, 'design.v'), verilog);
    const declare = (kind: string, { name, bits }: ModelPort): string => `  ${kind} [${bits - 1}:0] ${name};`;
    const shown = outputs.map(({ name }) => `    $display("%b", ${name});`);
    const bench = [
      'module bench;',
      `  reg [${width - 1}:0] bench_stimuli [0:${stimuli.length - 1}];`,
      ...inputs.map((port) => declare('reg', port)),
      ...outputs.map((port) => declare('wire', port)),
      ...(clock === undefined ? [] : [`  reg ${clock.name} = 0;`]),
      `  ${top} dut(${ports.map(({ name }) => `.${name}(${name})`).join(', ')});`,
      '  integer bench_cycle;',
      `  initial begin $readmemh("stimuli.hex", bench_stimuli);`,
      `  for (bench_cycle = 0; bench_cycle < ${stimuli.length}; bench_cycle = bench_cycle + 1) begin`,
      `    {${inputs.map(({ name }) => name).join(', ')}} = bench_stimuli[bench_cycle];`,
      '    #1;',
      ...shown,
      ...(clock === undefined ? [] : [`    #1 ${clock.name} = 1; #1 ${clock.name} = 0; #1;`]),
      '  end',
      '  end',
      'endmodule',
    ];
    writeFileSync(join(folder, 'bench.v'), bench.join('\n'));
    execFileSync('iverilog', ['-g2012', '-o', 'bench', '-s', 'bench', 'bench.v', 'design.v'], {
      cwd: folder,
    });
    const printed = execFileSync('vvp', ['-n', 'bench'], {
      cwd: folder,
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    });
    const values = printed.split('\n').filter((line) => /^[01xz]+$/.test(line));
    return stimuli.map((_, cycle) => {
      const row = values.slice(cycle * outputs.length, (cycle + 1) * outputs.length);
      const defined = outputs.flatMap(({ name }, index) =>
        /^[01]+$/.test(row[index] ?? '') ? [[name, BigInt(`0b${row[index]}`)] as const] : [],
      );
      return Object.fromEntries(defined);
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
