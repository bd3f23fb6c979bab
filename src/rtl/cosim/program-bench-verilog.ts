/**
 * The testbench of the whole machine in Verilog: feeds it a program, is its memory, and compares what it leaves there. Runs in Icarus Verilog
 * (`iverilog -g2012`) and in Verilator (`--binary`).
 */
import type { MachineConfig } from '../../hw/machine/config.ts';
import { acceleratorCommandBits, acceleratorModule, tokenNames } from '../../hw/machine/verilog.ts';
import { range, verilogLines } from '../../hw/verilog.ts';
import { resetCycles } from './bench-verilog.ts';

/** Name of the testbench's module. */
export const programBench = 'program_bench';

/** Most commands, transactions of a port, barriers, and bursts of DRAM of a program that the testbench takes. */
export const programRoom = { commands: 4096, transactions: 65_536, barriers: 256, bursts: 65_536 } as const;

/** Numbers at the head of a program, one a line of `counts.hex`. */
export const programCounts = ['commands', 'barriers', 'reads', 'writes', 'bursts', 'limit'] as const;

export function programBenchVerilog({ dma: { burstBytes } }: MachineConfig): string {
  const burst = Math.log2(burstBytes);
  const command = acceleratorCommandBits();
  const { commands, transactions, barriers, bursts } = programRoom;
  return [
    `// Testbench of ${acceleratorModule}: runs a program on it, with a memory whose nth answer comes as many cycles later as the`,
    '// files say, and compares. Folder: +program=FOLDER, else "program". Prints transactions, tokens and barriers',
    '// with their cycles, writes DRAM to seen.hex in that folder, and ends with PASS or FAIL.',
    '`default_nettype none',
    '`timescale 1ns / 1ps',
    `module ${programBench};`,
    ...verilogLines(`
      reg clk, rst, command_valid, answer_valid, acknowledge;
      reg ${range(command)} command;
      reg ${range(8 * burstBytes)} answer_data;
      wire command_ready, barrier_passed, read_valid, answer_ready, write_valid, acknowledge_ready;
      wire ${range(tokenNames.length)} tokens;
      wire [31:0] read_address, write_address;
      wire ${range(burst + 1)} read_bytes;
      wire ${range(8 * burstBytes)} write_data;
      wire ${range(burstBytes)} write_strobes;
      ${acceleratorModule} dut (
        .clk(clk),
        .rst(rst),
        .command_valid(command_valid),
        .command(command),
        .command_ready(command_ready),
        .barrier_passed(barrier_passed),
        .tokens(tokens),
        .read_valid(read_valid),
        .read_address(read_address),
        .read_bytes(read_bytes),
        .read_ready(1'b1),
        .answer_valid(answer_valid),
        .answer_data(answer_data),
        .answer_ready(answer_ready),
        .write_valid(write_valid),
        .write_address(write_address),
        .write_data(write_data),
        .write_strobes(write_strobes),
        .write_ready(1'b1),
        .acknowledge(acknowledge),
        .acknowledge_ready(acknowledge_ready)
      );

      reg ${range(command)} commands [0:${commands - 1}];
      reg [31:0] read_delays [0:${transactions - 1}];
      reg [31:0] write_delays [0:${transactions - 1}];
      reg [31:0] barriers [0:${barriers - 1}];
      reg [31:0] counts [0:${programCounts.length - 1}];
      reg ${range(8 * burstBytes)} dram [0:${bursts - 1}];
      reg ${range(8 * burstBytes)} expected [0:${bursts - 1}];
      // When each transaction's answer is there, and where its data lie.
      integer read_from [0:${transactions - 1}];
      integer read_place [0:${transactions - 1}];
      integer write_from [0:${transactions - 1}];
      string folder;
      integer i, cycle, next_command, reads, reads_taken, writes, writes_taken, passed, wrong_cycles, wrong_bursts;

      initial begin
        if (!$value$plusargs("program=%s", folder)) folder = "program";
        $readmemh($sformatf("%s/counts.hex", folder), counts);
        $readmemh($sformatf("%s/commands.hex", folder), commands);
        $readmemh($sformatf("%s/read_delays.hex", folder), read_delays);
        $readmemh($sformatf("%s/write_delays.hex", folder), write_delays);
        $readmemh($sformatf("%s/barriers.hex", folder), barriers);
        $readmemh($sformatf("%s/dram.hex", folder), dram);
        $readmemh($sformatf("%s/expected.hex", folder), expected);
        clk = 1'b0;
        rst = 1'b1;
        command_valid = 1'b0;
        command = 0;
        answer_valid = 1'b0;
        answer_data = 0;
        acknowledge = 1'b0;
        next_command = 0;
        reads = 0;
        reads_taken = 0;
        writes = 0;
        writes_taken = 0;
        passed = 0;
        wrong_cycles = 0;
        wrong_bursts = 0;
        for (i = 0; i < ${resetCycles}; i = i + 1) begin
          #1 clk = 1'b1;
          #1 clk = 1'b0;
        end
        rst = 1'b0;
        // The first command is in its queue in cycle 0.
        for (cycle = -1; cycle < $signed(counts[5]) && passed < $signed(counts[1]); cycle = cycle + 1) begin
          command_valid = next_command < $signed(counts[0]);
          if (command_valid) command = commands[next_command];
          answer_valid = reads_taken < reads && read_from[reads_taken] <= cycle;
          if (answer_valid) answer_data = dram[read_place[reads_taken]];
          acknowledge = writes_taken < writes && write_from[writes_taken] <= cycle;
          #1;
          if (command_valid && command_ready) next_command = next_command + 1;
          if (answer_valid && answer_ready) reads_taken = reads_taken + 1;
          if (acknowledge && acknowledge_ready) writes_taken = writes_taken + 1;
          if (read_valid !== 1'b0) begin
            $display("read %0d %0d %0d", cycle, read_address, read_bytes);
            read_from[reads] = cycle + (reads < $signed(counts[2]) ? $signed(read_delays[reads]) : 1);
            read_place[reads] = read_address / ${burstBytes};
            reads = reads + 1;
          end
          if (write_valid !== 1'b0) begin
            $display("write %0d %0d %h", cycle, write_address, write_strobes);
            for (i = 0; i < ${burstBytes}; i = i + 1)
              if (write_strobes[i]) dram[write_address / ${burstBytes}][i * 8 +: 8] = write_data[i * 8 +: 8];
            write_from[writes] = cycle + (writes < $signed(counts[3]) ? $signed(write_delays[writes]) : 1);
            writes = writes + 1;
          end
          if (tokens !== ${tokenNames.length}'d0) $display("tokens %0d %0d", cycle, tokens);
          if (barrier_passed !== 1'b0) begin
            $display("barrier %0d", cycle);
            if ($signed(barriers[passed]) != cycle) wrong_cycles = wrong_cycles + 1;
            passed = passed + 1;
          end
          clk = 1'b1;
          #1 clk = 1'b0;
        end
        for (i = 0; i < $signed(counts[4]); i = i + 1)
          if (dram[i] !== expected[i]) wrong_bursts = wrong_bursts + 1;
        $writememh($sformatf("%s/seen.hex", folder), dram, 0, $signed(counts[4]) - 1);
        if (passed != $signed(counts[1])) wrong_cycles = wrong_cycles + 1;
        if (wrong_cycles == 0 && wrong_bursts == 0) $display("PASS");
        else $display("FAIL: %0d barriers in other cycles, %0d other bursts of DRAM", wrong_cycles, wrong_bursts);
        $finish;
      end
    `).map((line) => (line === '' ? '' : `  ${line}`)),
    'endmodule',
    '`default_nettype wire',
    '',
  ].join('\n');
}
