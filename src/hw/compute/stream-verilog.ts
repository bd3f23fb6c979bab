/**
 * What streams past the array, in Verilog: maps as they are, or sums of several, each less its zero point and times its
 * multiplier (docs/machine.md section 7).
 */

import type { MachineConfig } from '../machine/config.ts';
import { operandMultiplierBits } from '../requantise/parameters.ts';
import { streamedBits } from '../requantise/verilog.ts';
import {
  clockPort,
  literal,
  type Port,
  range,
  type VerilogModule,
  verilogLines,
  verilogModule,
} from '../verilog.ts';

/** Bits of an operand's number, and of a zero point. */
export const operandBits = 4;
const zeroBits = 17;

export function streamSumsVerilog(machine: MachineConfig): VerilogModule {
  const lanes = machine.peArray.rows;
  const value = machine.peArray.activationBits + 1;
  const product = value + operandMultiplierBits;
  const sum = streamedBits(machine);
  const input = (name: string, width?: number, meaning?: string): Port => ({
    direction: 'input',
    name,
    ...(width !== undefined && { width }),
    ...(meaning !== undefined && { meaning }),
  });
  return verilogModule({
    name: 'stream_sums',
    about: [
      `Vectors that stream past the array: ${lanes} lanes. The operands of a sum come one after the other, each less its`,
      'zero point; they are multiplied in the cycle they come in, and added in the next. A vector that is',
      'complete waits here until it is taken. Records of operands are fetched before the first of them.',
    ],
    ports: [
      clockPort,
      input('write', undefined, 'a record comes in'),
      input('write_operand', operandBits),
      input('write_zero_point', zeroBits),
      input('write_multiplier', operandMultiplierBits),
      input('is_sum', undefined, 'else values pass as they are'),
      input('operand', operandBits, 'whose values these are'),
      input('read', undefined, 'they belong to a vector'),
      input('last', undefined, 'which is complete with them'),
      input('features', lanes * value, `lane i: bits ${value} i and up, signed`),
      { direction: 'output', name: 'zero_point', width: zeroBits, meaning: "the operand's" },
      { direction: 'output', name: 'sums', width: lanes * sum, meaning: 'two cycles behind; then held' },
    ],
    body: [
      ...verilogLines(`
      reg ${range(zeroBits + operandMultiplierBits)} records [0:${2 ** operandBits - 1}];
      wire ${range(zeroBits + operandMultiplierBits)} record = records[operand];
      assign zero_point = record[${zeroBits + operandMultiplierBits - 1}:${operandMultiplierBits}];
      wire ${range(operandMultiplierBits)} multiplier = is_sum ? record${range(operandMultiplierBits)} : ${literal(operandMultiplierBits, 1)};
      reg read_1, last_1, first_1;
      always @(posedge clk) begin
        if (write) records[write_operand] <= {write_zero_point, write_multiplier};
        read_1 <= read;
        last_1 <= last;
        first_1 <= ~is_sum | (operand == ${literal(operandBits, 0)});
      end
      genvar i;
      generate
        for (i = 0; i < ${lanes}; i = i + 1) begin : lane
          wire signed ${range(value)} feature = features[i * ${value} +: ${value}];
          reg signed ${range(product)} product;
          reg ${range(sum)} total, complete;
          wire ${range(sum)} so_far = first_1 ? ${literal(sum, 0)} : total;
          wire ${range(sum)} more = so_far + {{${sum - product}{product[${product - 1}]}}, product};
          always @(posedge clk) begin
            product <= feature * $signed({1'b0, multiplier});
            if (read_1) total <= more;
            if (read_1 & last_1) complete <= more;
          end
          assign sums[i * ${sum} +: ${sum}] = complete;
        end
      endgenerate
      `),
    ],
  });
}
