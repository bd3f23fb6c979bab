/**
 * The feature buffer in Verilog: banks of one value, and the arbiter that serves the lanes of the array.
 *
 * Every bank answers one address a cycle: that of the lowest lane it has not served yet. All lanes that want the same value
 * share the answer. So a step takes as many cycles as the most different values any bank is asked for
 * (`conflictCycles` in buffers.ts).
 */
import { InputError } from '../../core/diagnostics.ts';
import { containerBytes } from '../../core/fixed-point.ts';
import { ceilDiv } from '../../core/integers.ts';
import type { MachineConfig } from '../machine/config.ts';
import {
  bitsFor,
  type CountedModule,
  clockPort,
  literal,
  range,
  resetPort,
  type VerilogModule,
  verilogLines,
  verilogModule,
} from '../verilog.ts';
import { bankMemory } from './wide-verilog.ts';

export interface FeatureShape {
  readonly lanes: number;
  readonly banks: number;
  /** Values of a bank. */
  readonly depth: number;
  /** Bits of a stored value: 8 or 16. */
  readonly bits: number;
  /** Bits of a value's address, of the bank's number in it, and of the word's. */
  readonly address: number;
  readonly bank: number;
  readonly word: number;
}

export function featureShape({ peArray, buffers }: MachineConfig): FeatureShape {
  const bytes = containerBytes(peArray.activationBits);
  const { banks } = buffers.feature;
  const bank = Math.log2(banks);
  if (!Number.isInteger(bank)) {
    throw new InputError(
      `buffers.feature.banks is ${banks}; the Verilog takes the bank from an address's low bits, expected a power of two`,
    );
  }
  const depth = ceilDiv(ceilDiv(buffers.feature.bytes, bytes), banks);
  const word = bitsFor(depth - 1);
  return { lanes: peArray.rows, banks, depth, bits: 8 * bytes, bank, word, address: bank + word };
}

export function featureBufferModules(machine: MachineConfig): readonly CountedModule[] {
  const shape = featureShape(machine);
  return [
    { ...featureBufferVerilog(shape), count: 1 },
    {
      ...bankMemory('feature_bank', 'One bank of the feature buffer', shape.depth, shape.word, shape.bits),
      count: shape.banks,
    },
  ];
}

function featureBufferVerilog({ lanes, banks, bits, address, bank, word }: FeatureShape): VerilogModule {
  const bankOf = (lane: string): string =>
    banks === 1 ? "1'b0" : `addresses[${lane} * ${address} +: ${bank}]`;
  const wordOf = (lane: string): string => `addresses[${lane} * ${address} + ${bank} +: ${word}]`;
  const select = Math.max(1, bank);
  return verilogModule({
    name: 'feature_buffer',
    about: [
      `Feature buffer: ${banks} banks of one value, and their arbiter. A read of up to ${lanes} values holds its`,
      'addresses until `done`. Each bank serves the lowest lane it has not served yet, and with it',
      'every lane that wants the same value; values served early wait in `early`.',
    ],
    ports: [
      clockPort,
      resetPort,
      { direction: 'input', name: 'read' },
      { direction: 'input', name: 'wanted', width: lanes, meaning: 'lanes that want a value' },
      {
        direction: 'input',
        name: 'addresses',
        width: lanes * address,
        meaning: `lane i: bits ${address} i and up, in values`,
      },
      { direction: 'output', name: 'done', meaning: "the read's last cycle" },
      {
        direction: 'output',
        name: 'values',
        width: lanes * bits,
        meaning: 'the cycle behind `done`; whatever in lanes that want none',
      },
      { direction: 'input', name: 'write', width: banks, meaning: 'one a bank' },
      { direction: 'input', name: 'write_word', width: word },
      { direction: 'input', name: 'write_data', width: banks * bits },
    ],
    body: [
      ...verilogLines(`
      reg ${range(lanes)} served;
      wire ${range(lanes)} pending = wanted & ~served;

      // Lanes whose bank is b, and the lowest of them.
      wire ${range(banks * lanes)} granted;
      wire ${range(banks * word)} words;
      wire ${range(banks * bits)} bank_data;

      genvar b, i;
      generate
        for (b = 0; b < ${banks}; b = b + 1) begin : bank
          wire ${range(lanes)} here;
          for (i = 0; i < ${lanes}; i = i + 1) begin : request
            assign here[i] = pending[i]${banks === 1 ? '' : ` & (${bankOf('i')} == b)`};
          end
          assign granted[b * ${lanes} +: ${lanes}] = here & (~here + ${literal(lanes, 1)});
          // At most one lane is granted, so an OR selects its word.
          assign words[b * ${word} +: ${word}] =
            ${Array.from({ length: lanes }, (_, lane) => `({${word}{granted[b * ${lanes} + ${lane}]}} & ${wordOf(String(lane))})`).join(' |\n            ')};
        end
      endgenerate

      generate
        for (b = 0; b < ${banks}; b = b + 1) begin : store
          feature_bank memory (
            .clk(clk),
            .read_address(words[b * ${word} +: ${word}]),
            .read_data(bank_data[b * ${bits} +: ${bits}]),
            .write(write[b]),
            .write_address(write_word),
            .write_data(write_data[b * ${bits} +: ${bits}])
          );
        end
      endgenerate

      // A pending lane is served if its bank's word is its own.
      wire ${range(lanes)} hit;
      reg ${range(lanes)} hit_q;
      ${banks === 1 ? '' : `reg ${range(lanes * select)} bank_q;`}
      reg ${range(lanes * bits)} early;
      generate
        for (i = 0; i < ${lanes}; i = i + 1) begin : lane
          ${banks === 1 ? '' : `wire ${range(select)} own = ${bankOf('i')};`}
          wire ${range(bits)} fresh = ${banks === 1 ? 'bank_data' : `bank_data[bank_q[i * ${select} +: ${select}] * ${bits} +: ${bits}]`};
          assign hit[i] = pending[i] & (${banks === 1 ? 'words' : `words[own * ${word} +: ${word}]`} == ${wordOf('i')});
          assign values[i * ${bits} +: ${bits}] = hit_q[i] ? fresh : early[i * ${bits} +: ${bits}];
          ${banks === 1 ? '' : `always @(posedge clk) bank_q[i * ${select} +: ${select}] <= own;`}
        end
      endgenerate
      assign done = read & ~|(pending & ~hit);
      always @(posedge clk) begin
        hit_q <= hit;
        early <= values;
        served <= (rst | done | ~read) ? ${lanes}'d0 : served | hit;
      end
      `),
    ],
  });
}
