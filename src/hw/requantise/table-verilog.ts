/**
 * The lookup table in Verilog: R lanes that read one table, and the table's memory.
 *
 * Every lane needs a read of its own in every cycle. The memory is written as one with R read ports; silicon has it as R
 * copies that are written together.
 */
import { assert } from '../../core/diagnostics.ts';
import { containerBytes } from '../../core/fixed-point.ts';
import type { MachineConfig } from '../machine/config.ts';
import {
  bitsFor,
  type CountedModule,
  clockPort,
  type Port,
  range,
  type VerilogModule,
  verilogModule,
} from '../verilog.ts';
import { requantisers, valueBits } from './verilog.ts';

/** Cycles from a value at the ports to its entry at them; a value that passes takes as many. */
export const lookupTableLatency = 1;

interface TableShape {
  readonly lanes: number;
  readonly entries: number;
  /** 1 or 2. */
  readonly entryBytes: number;
  /** Bytes written at once, a power of two: one word of the memory, with an enable for each byte. */
  readonly wordBytes: number;
}

/**
 * A table holds an entry for every activation, as far as its bytes go.
 * @param wordBytes bytes of a write beat, a power of two; an entry's at least
 */
function shapeOf(machine: MachineConfig, wordBytes?: number): TableShape {
  const { peArray, postProcessing } = machine;
  const { lookupTable } = postProcessing.requantise;
  assert(lookupTable !== null, 'a machine without a table');
  const entryBytes = containerBytes(peArray.activationBits);
  const entries = Math.min(Math.floor(lookupTable.bytes / entryBytes), 2 ** peArray.activationBits);
  const lanes = peArray.rows * requantisers(machine);
  return { lanes, entries, entryBytes, wordBytes: wordBytes ?? entryBytes };
}

const indexBits = ({ entries }: TableShape): number => bitsFor(entries - 1);
const words = ({ entries, entryBytes, wordBytes }: TableShape): number =>
  Math.ceil((entries * entryBytes) / wordBytes);

/** Bits of the table's write address, which counts words of `wordBytes`. */
export function tableWordAddressBits(machine: MachineConfig, wordBytes?: number): number {
  return bitsFor(words(shapeOf(machine, wordBytes)) - 1);
}

/** The unit and its memory; none for a machine without a table. */
export function lookupTableModules(machine: MachineConfig, wordBytes?: number): readonly CountedModule[] {
  if (machine.postProcessing.requantise.lookupTable === null) return [];
  return [
    { ...lookupTableVerilog(machine, wordBytes), count: 1 },
    { ...tableMemoryVerilog(machine, wordBytes), count: 1 },
  ];
}

/** R lanes: the entry's number, the memory, and the way past it. */
export function lookupTableVerilog(machine: MachineConfig, wordBytes?: number): VerilogModule {
  const shape = shapeOf(machine, wordBytes);
  const index = indexBits(shape);
  const entry = 8 * shape.entryBytes;
  const { lanes } = shape;
  return verilogModule({
    name: 'lookup_table',
    about: [
      `Table of a function: a value becomes entry (value - low). ${lanes} lanes, one cycle; without`,
      '`lookup` values pass, as late. A value outside the table reads any entry.',
    ],
    ports: [
      clockPort,
      { direction: 'input', name: 'lookup' },
      { direction: 'input', name: 'unsigned_entries', meaning: 'of the values that come out of the table' },
      { direction: 'input', name: 'low', width: valueBits, meaning: 'signed; the value of entry 0' },
      {
        direction: 'input',
        name: 'values',
        width: lanes * valueBits,
        meaning: `lane i: bits ${valueBits} i and up, signed`,
      },
      ...writePorts(shape),
      {
        direction: 'output',
        name: 'out',
        width: lanes * valueBits,
        meaning: `lane i: bits ${valueBits} i and up, signed`,
      },
    ],
    body: [
      `wire ${range(lanes * index)} indices;`,
      `wire ${range(lanes * entry)} entries;`,
      `reg ${range(lanes * valueBits)} values_q;`,
      'reg lookup_q, unsigned_q;',
      'always @(posedge clk) begin',
      '  values_q <= values;',
      '  lookup_q <= lookup;',
      '  unsigned_q <= unsigned_entries;',
      'end',
      '',
      'table_memory memory (',
      '  .clk(clk),',
      '  .write_enable(write_enable),',
      '  .write_address(write_address),',
      '  .write_data(write_data),',
      '  .indices(indices),',
      '  .entries(entries)',
      ');',
      '',
      'genvar i;',
      'generate',
      `  for (i = 0; i < ${lanes}; i = i + 1) begin : lane`,
      `    assign indices[i * ${index} +: ${index}] = values[i * ${valueBits} +: ${index}] - low${range(index)};`,
      `    wire ${range(entry)} entry = entries[i * ${entry} +: ${entry}];`,
      `    assign out[i * ${valueBits} +: ${valueBits}] = lookup_q`,
      `      ? {{${valueBits - entry}{entry[${entry - 1}] & ~unsigned_q}}, entry}`,
      `      : values_q[i * ${valueBits} +: ${valueBits}];`,
      '  end',
      'endgenerate',
      `wire unused = |low[${valueBits - 1}:${index}];`,
    ],
  });
}

function writePorts(shape: TableShape): Port[] {
  return [
    { direction: 'input', name: 'write_enable', width: shape.wordBytes, meaning: 'one a byte' },
    {
      direction: 'input',
      name: 'write_address',
      width: bitsFor(words(shape) - 1),
      meaning: `in words of ${shape.wordBytes} byte${shape.wordBytes === 1 ? '' : 's'}`,
    },
    { direction: 'input', name: 'write_data', width: 8 * shape.wordBytes },
  ];
}

/** The memory: a write port for words, a read port a lane for entries. */
export function tableMemoryVerilog(machine: MachineConfig, wordBytes?: number): VerilogModule {
  const shape = shapeOf(machine, wordBytes);
  const { lanes, entries, entryBytes } = shape;
  const index = indexBits(shape);
  const entry = 8 * entryBytes;
  const word = 8 * shape.wordBytes;
  const perWord = shape.wordBytes / entryBytes;
  const offset = Math.log2(perWord);
  const address = perWord === 1 ? 'index' : offset < index ? `index[${index - 1}:${offset}]` : "1'd0";
  const low = Math.min(offset, index);
  return verilogModule({
    name: 'table_memory',
    about: [
      `Memory of the lookup table: ${entries} entries of ${entry} bits, one write port and ${lanes} read ports`,
      '(in silicon a copy for each). A read gives what was there before a write in the same cycle.',
    ],
    memoryBits: entries * entry,
    ports: [
      clockPort,
      ...writePorts(shape),
      { direction: 'input', name: 'indices', width: lanes * index },
      { direction: 'output', name: 'entries', width: lanes * entry, meaning: 'a cycle later' },
    ],
    body: [
      `reg ${range(word)} words [0:${words(shape) - 1}];`,
      'integer b;',
      'always @(posedge clk)',
      `  for (b = 0; b < ${shape.wordBytes}; b = b + 1)`,
      '    if (write_enable[b]) words[write_address][b * 8 +: 8] <= write_data[b * 8 +: 8];',
      '',
      'genvar i;',
      'generate',
      `  for (i = 0; i < ${lanes}; i = i + 1) begin : lane`,
      `    wire ${range(index)} index = indices[i * ${index} +: ${index}];`,
      `    reg ${range(word)} word;`,
      `    always @(posedge clk) word <= words[${address}];`,
      ...(low === 0
        ? [`    assign entries[i * ${entry} +: ${entry}] = word${range(entry)};`]
        : [
            `    reg ${range(low)} place;`,
            `    always @(posedge clk) place <= index${range(low)};`,
            `    assign entries[i * ${entry} +: ${entry}] = word[place * ${entry} +: ${entry}];`,
          ]),
      '  end',
      'endgenerate',
    ],
  });
}
