/**
 * The testbench in Verilog: plays a case's files to the compute side and compares what it sees with what the files expect.
 * Runs in Icarus Verilog (`iverilog -g2012`) and in Verilator (`--binary`).
 */

import { wideShape } from '../../hw/buffers/wide-verilog.ts';
import { computeShape } from '../../hw/compute/shape.ts';
import { commandBits } from '../../hw/isa/verilog.ts';
import type { MachineConfig } from '../../hw/machine/config.ts';
import { tableWordAddressBits } from '../../hw/requantise/table-verilog.ts';
import { range, verilogLines } from '../../hw/verilog.ts';
import { topModule } from './compiled-run.ts';
import { bankings } from './images.ts';

/** Cycles of reset before a case. */
export const resetCycles = 8;

/** Most commands, and most tokens on a side, of a case. */
export const benchRoom = 1024;

/** Numbers at the head of a case, one a line of `counts.hex`. */
export const countNames = ['commands', 'fromLoad', 'fromStore', 'toLoad', 'toStore', 'limit'] as const;

/** Name of the testbench's module. */
export const benchModule = 'bench';

interface Fill {
  readonly name: string;
  readonly banks: number;
  readonly bits: number;
  readonly depth: number;
  readonly memory: (bank: number) => string;
}

export function benchVerilog(machine: MachineConfig): string {
  const shape = computeShape(machine);
  const output = wideShape(shape.output);
  const word = Math.max(commandBits('compute'), commandBits('postProcess'));
  const hasTable = machine.postProcessing.requantise.lookupTable !== null;
  const fills: Fill[] = Object.entries(bankings({ machine })).flatMap(([name, banking]) =>
    banking === undefined
      ? []
      : [
          {
            name,
            banks: banking.banks,
            bits: 8 * banking.size,
            depth: banking.depth,
            memory: banking.memory,
          },
        ],
  );
  const bankLoop = (depth: number, lines: readonly string[]): string[] => [
    `for (i = 0; i < ${depth}; i = i + 1) begin`,
    ...lines.map((line) => `  ${line}`),
    'end',
  ];
  const outputMemory = (bank: number): string => `dut.output_memory.bank[${bank}].memory.values`;
  const banksOf = (count: number): number[] => Array.from({ length: count }, (_, bank) => bank);
  return [
    `// Testbench of ${topModule}: plays the files of a case and compares. Folder: +case=FOLDER, else "case".`,
    '// Prints each token with its cycle, writes the output buffer to seen.hex in that folder, and ends with',
    '// PASS or FAIL. Cycles count from the end of reset.',
    '`default_nettype none',
    '`timescale 1ns / 1ps',
    `module ${benchModule};`,
    ...verilogLines(`
      reg clk, rst;
      reg command_valid, from_load, from_store;
      reg ${range(word)} command;
      wire command_ready, to_load, to_store;
      ${topModule} dut (
        .clk(clk),
        .rst(rst),
        .command_valid(command_valid),
        .command(command),
        .command_ready(command_ready),
        .idle(),
        .from_load(from_load),
        .from_store(from_store),
        .to_load(to_load),
        .to_store(to_store),
        .feature_write(${shape.feature.banks}'d0),
        .feature_write_word(${shape.feature.word}'d0),
        .feature_write_data(${shape.feature.banks * shape.stored}'d0),
        .weight_write(${wideShape(shape.weights).banks}'d0),
        .weight_write_word(${wideShape(shape.weights).word}'d0),
        .weight_write_data(${wideShape(shape.weights).banks * shape.storedWeight}'d0),
        .parameter_write(${wideShape(shape.parameters).banks}'d0),
        .parameter_write_word(${wideShape(shape.parameters).word}'d0),
        .parameter_write_data(${wideShape(shape.parameters).banks * 32}'d0),
        ${
          hasTable
            ? `.table_write(${shape.stored / 8}'d0),
        .table_write_word(${tableWordAddressBits(machine)}'d0),
        .table_write_data(${shape.stored}'d0),
        `
            : ''
        }.output_read_word(${output.word}'d0),
        .output_read_data()
      );

      reg ${range(word)} commands [0:${benchRoom - 1}];
      reg [31:0] arrivals [0:${benchRoom - 1}];
      reg [31:0] load_tokens [0:${benchRoom - 1}];
      reg [31:0] store_tokens [0:${benchRoom - 1}];
      reg [31:0] loads_expected [0:${benchRoom - 1}];
      reg [31:0] stores_expected [0:${benchRoom - 1}];
      reg [31:0] counts [0:${countNames.length - 1}];
    `).map((line) => `  ${line}`),
    ...fills.map(
      ({ name, banks, depth, bits }) => `  reg ${range(bits)} in_${name} [0:${banks * depth - 1}];`,
    ),
    `  reg ${range(shape.stored)} expected [0:${output.banks * output.depth - 1}];`,
    `  reg ${range(shape.stored)} seen [0:${output.banks * output.depth - 1}];`,
    ...verilogLines(`
      string folder;
      integer i, cycle, next_command, next_load, next_store, loads_seen, stores_seen, wrong_cycles, wrong_values;

      initial begin
        if (!$value$plusargs("case=%s", folder)) folder = "case";
        $readmemh($sformatf("%s/counts.hex", folder), counts);
        $readmemh($sformatf("%s/commands.hex", folder), commands);
        $readmemh($sformatf("%s/arrivals.hex", folder), arrivals);
        $readmemh($sformatf("%s/from_load.hex", folder), load_tokens);
        $readmemh($sformatf("%s/from_store.hex", folder), store_tokens);
        $readmemh($sformatf("%s/to_load.hex", folder), loads_expected);
        $readmemh($sformatf("%s/to_store.hex", folder), stores_expected);
        $readmemh($sformatf("%s/output.hex", folder), expected);
    `).map((line) => `  ${line}`),
    ...fills.flatMap(({ name, banks, depth, memory }) => [
      `    $readmemh($sformatf("%s/${name}.hex", folder), in_${name});`,
      ...bankLoop(
        depth,
        banksOf(banks).map((bank) => `dut.${memory(bank)}[i] = in_${name}[i * ${banks} + ${bank}];`),
      ).map((line) => `    ${line}`),
    ]),
    ...bankLoop(
      output.depth,
      banksOf(output.banks).map((bank) => `${outputMemory(bank)}[i] = 0;`),
    ).map((line) => `    ${line}`),
    ...verilogLines(`
        clk = 1'b0;
        rst = 1'b1;
        command_valid = 1'b0;
        command = 0;
        from_load = 1'b0;
        from_store = 1'b0;
        next_command = 0;
        next_load = 0;
        next_store = 0;
        loads_seen = 0;
        stores_seen = 0;
        wrong_cycles = 0;
        wrong_values = 0;
        for (i = 0; i < ${resetCycles}; i = i + 1) begin
          #1 clk = 1'b1;
          #1 clk = 1'b0;
        end
        rst = 1'b0;
        // A command that arrives in a cycle is pushed in the one before.
        for (cycle = -1; cycle < $signed(counts[5])
            && (loads_seen < $signed(counts[3]) || stores_seen < $signed(counts[4]) || next_command < $signed(counts[0]));
            cycle = cycle + 1) begin
          command_valid = next_command < $signed(counts[0]) && $signed(arrivals[next_command]) == cycle + 1;
          if (command_valid) begin
            command = commands[next_command];
            next_command = next_command + 1;
          end
          from_load = next_load < $signed(counts[1]) && $signed(load_tokens[next_load]) == cycle;
          if (from_load) next_load = next_load + 1;
          from_store = next_store < $signed(counts[2]) && $signed(store_tokens[next_store]) == cycle;
          if (from_store) next_store = next_store + 1;
          #1;
          if (to_load !== 1'b0) begin
            $display("to_load %0d", cycle);
            if ($signed(loads_expected[loads_seen]) != cycle) wrong_cycles = wrong_cycles + 1;
            loads_seen = loads_seen + 1;
          end
          if (to_store !== 1'b0) begin
            $display("to_store %0d", cycle);
            if ($signed(stores_expected[stores_seen]) != cycle) wrong_cycles = wrong_cycles + 1;
            stores_seen = stores_seen + 1;
          end
          clk = 1'b1;
          #1 clk = 1'b0;
        end
    `),
    ...bankLoop(
      output.depth,
      banksOf(output.banks).map((bank) => `seen[i * ${output.banks} + ${bank}] = ${outputMemory(bank)}[i];`),
    ).map((line) => `    ${line}`),
    ...verilogLines(`
        for (i = 0; i < ${shape.output.values}; i = i + 1)
          if (seen[i] !== expected[i]) wrong_values = wrong_values + 1;
        $writememh($sformatf("%s/seen.hex", folder), seen);
        if (loads_seen != $signed(counts[3]) || stores_seen != $signed(counts[4])) wrong_cycles = wrong_cycles + 1;
        if (wrong_cycles == 0 && wrong_values == 0) $display("PASS");
        else $display("FAIL: %0d tokens in other cycles, %0d other values", wrong_cycles, wrong_values);
        $finish;
      end
    `),
    'endmodule',
    '`default_nettype wire',
    '',
  ].join('\n');
}
