/** Runs modules cycle by cycle: compiled from Yosys' netlist, and in Icarus Verilog where it is installed. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileNetlist } from '../rtl/netlist/compile.ts';
import { elaborate } from '../rtl/netlist/yosys.ts';
import type { VerilogModule } from './verilog.ts';

/** Values of ports by name, as unsigned integers. */
export type PortValues = Readonly<Record<string, bigint>>;

export interface PortWidth {
  readonly name: string;
  readonly width: number;
}

/** Inputs but the clock, and outputs, of the first module in the text. */
export function portsOf({ text }: VerilogModule): { inputs: PortWidth[]; outputs: PortWidth[] } {
  const found = [...text.matchAll(/^ {2}(input|output) (?:wire|reg)(?: signed)?(?: \[(\d+):0\])? (\w+),?/gm)];
  const of = (direction: string): PortWidth[] =>
    found
      .filter(([, one, , name]) => one === direction && name !== 'clk')
      .map(([, , high, name]) => ({ name: name!, width: high === undefined ? 1 : Number(high) + 1 }));
  return { inputs: of('input'), outputs: of('output') };
}

/**
 * Outputs of `top` in every cycle: with the cycle's inputs applied, before the clock edge that ends it. What the stimulus
 * leaves out is 0. An output with an unknown bit is left out.
 */
export type Engine = (
  modules: readonly VerilogModule[],
  top: string,
  cycles: readonly PortValues[],
) => Promise<PortValues[]>;

export const hasIcarus = spawnSync('iverilog', ['-V']).error === undefined;
export const hasVerilator = spawnSync('verilator', ['--version']).error === undefined;

/** The engines, and how many random machines each has time for: a netlist takes Yosys half a second, Icarus a tenth. */
export const engines: readonly { name: string; run: Engine; share: number; absent: boolean }[] = [
  { name: 'compiled', run: runCompiled, share: 0.25, absent: false },
  { name: 'Icarus', run: async (...of) => runIcarus(...of), share: 1, absent: !hasIcarus },
];

async function runCompiled(
  modules: readonly VerilogModule[],
  top: string,
  cycles: readonly PortValues[],
): Promise<PortValues[]> {
  const { inputs, outputs } = portsOf(modules.find(({ name }) => name === top)!);
  const files = Object.fromEntries(modules.map(({ name, text }) => [`${name}.v`, text]));
  const model = compileNetlist(await elaborate(files, top), top);
  const isClocked = model.ports.some(({ clock }) => clock);
  return cycles.map((values) => {
    for (const { name, width } of inputs) model.set(name, BigInt.asUintN(width, values[name] ?? 0n));
    const seen = Object.fromEntries(
      outputs.map(({ name, width }) => [name, BigInt.asUintN(width, BigInt(model.get(name)))]),
    );
    if (isClocked) model.clock();
    return seen;
  });
}

/** What Verilator's linter says about modules, all warnings on; empty where it has nothing to say. */
export function lint(modules: readonly VerilogModule[], top: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'condensim-'));
  try {
    for (const { name, text } of modules) writeFileSync(join(folder, `${name}.v`), text);
    const { stderr, status } = spawnSync('verilator', ['--lint-only', '-Wall', '-y', '.', `${top}.v`], {
      cwd: folder,
      encoding: 'utf8',
    });
    return status === 0 ? stderr : stderr || `status ${status}`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function runIcarus(
  modules: readonly VerilogModule[],
  top: string,
  cycles: readonly PortValues[],
): PortValues[] {
  const module = modules.find(({ name }) => name === top)!;
  const { inputs, outputs } = portsOf(module);
  const total = inputs.reduce((sum, { width }) => sum + width, 0);
  const lines = cycles.map((values) => {
    let word = 0n;
    for (const { name, width } of inputs) {
      word = (word << BigInt(width)) | BigInt.asUintN(width, values[name] ?? 0n);
    }
    return word.toString(16);
  });
  const all = [...inputs, ...outputs];
  const bench = [
    'module bench;',
    '  reg clk = 0;',
    `  reg [${total - 1}:0] vectors [0:${cycles.length - 1}];`,
    `  reg [${total - 1}:0] vector;`,
    ...outputs.map(({ name, width }) => `  wire [${width - 1}:0] ${name};`),
    ...inputs.map(({ name, width }) => `  wire [${width - 1}:0] ${name};`),
    `  assign {${inputs.map(({ name }) => name).join(', ')}} = vector;`,
    `  ${top} dut (${/\bclk\b/.test(module.text) ? '.clk(clk), ' : ''}${all.map(({ name }) => `.${name}(${name})`).join(', ')});`,
    '  integer i;',
    '  initial begin',
    '    $readmemh("vectors.hex", vectors);',
    `    for (i = 0; i < ${cycles.length}; i = i + 1) begin`,
    '      vector = vectors[i];',
    '      #1;',
    `      $display("${outputs.map(() => '%h').join(' ')}", ${outputs.map(({ name }) => name).join(', ')});`,
    '      clk = 1; #1; clk = 0; #1;',
    '    end',
    '    $finish;',
    '  end',
    'endmodule',
    '',
  ];
  const folder = mkdtempSync(join(tmpdir(), 'condensim-'));
  try {
    writeFileSync(join(folder, 'vectors.hex'), `${lines.join('\n')}\n`);
    writeFileSync(
      join(folder, 'design.v'),
      `${modules.map(({ text }) => text).join('\n')}${bench.join('\n')}`,
    );
    execFileSync('iverilog', ['-g2005', '-s', 'bench', '-o', 'bench.vvp', 'design.v'], { cwd: folder });
    const text = execFileSync('vvp', ['-n', 'bench.vvp'], {
      cwd: folder,
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    });
    return text
      .trim()
      .split('\n')
      .map((line) => {
        const words = line.split(' ');
        const values: Record<string, bigint> = {};
        outputs.forEach(({ name }, index) => {
          const word = words[index]!;
          if (!/[^0-9a-f]/.test(word)) values[name] = BigInt(`0x${word}`);
        });
        return values;
      });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Signed numbers as a packed vector of lanes of `width` bits, lane 0 lowest. */
export function pack(values: readonly number[], width: number): bigint {
  return values.reduceRight(
    (word, value) => (word << BigInt(width)) | BigInt.asUintN(width, BigInt(value)),
    0n,
  );
}

/** The lanes of a packed vector as signed numbers. */
export function unpack(word: bigint, width: number, lanes: number): number[] {
  return Array.from({ length: lanes }, (_, lane) =>
    Number(BigInt.asIntN(width, word >> BigInt(lane * width))),
  );
}
