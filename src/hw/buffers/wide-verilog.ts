/**
 * Buffers that give or take several consecutive values at once, from any value on: a power of two of banks one value
 * wide, each with an address of its own, and a rotation between banks and lanes.
 */
import { alignUp, ceilDiv } from '../../core/integers.ts';
import {
  bitsFor,
  type CountedModule,
  clockPort,
  literal,
  type Port,
  range,
  verilogModule,
} from '../verilog.ts';

/** A buffer of values; its words are one value a bank. */
export interface WideBuffer {
  /** Of the module; the bank's is `<name>_bank`. */
  readonly name: string;
  /** What it holds, for the comment. */
  readonly holds: string;
  /** Bits of a value. */
  readonly bits: number;
  /** Capacity, in values. */
  readonly values: number;
  /** Most consecutive values read or written at once. */
  readonly lanes: number;
  /**
   * Who has which side. 'load': whole words are written from outside, lanes read. 'store': lanes written, whole words read
   * from outside. 'both': lanes both ways, and a read sees what is written in the same cycle.
   */
  readonly use: 'load' | 'store' | 'both';
}

/** Banks of a buffer for `lanes` values at once. */
export function wideBanks(lanes: number): number {
  return 2 ** Math.ceil(Math.log2(lanes));
}

export interface WideShape {
  readonly banks: number;
  /** Values of a bank. */
  readonly depth: number;
  /** Bits of a value's address, of the bank's number in it, and of the word's. */
  readonly address: number;
  readonly bank: number;
  readonly word: number;
}

export function wideShape({ values, lanes }: Pick<WideBuffer, 'values' | 'lanes'>): WideShape {
  const banks = wideBanks(lanes);
  const depth = ceilDiv(alignUp(values, banks), banks);
  const bank = Math.log2(banks);
  const word = bitsFor(depth - 1);
  return { banks, depth, bank, word, address: bank + word };
}

/** The buffer and its bank. */
export function wideBufferModules(buffer: WideBuffer): readonly CountedModule[] {
  const { name, bits, holds } = buffer;
  const { banks, depth, word } = wideShape(buffer);
  return [
    { ...wideBuffer(buffer), count: 1 },
    { ...bankMemory(`${name}_bank`, `One bank of the ${holds}`, depth, word, bits), count: banks },
  ];
}

/** An SRAM with one read and one write port; a read gives what was there before a write in the same cycle. */
export function bankMemory(name: string, what: string, depth: number, address: number, bits: number) {
  return verilogModule({
    name,
    about: [`${what}: ${depth} values of ${bits} bits, one read and one write port.`],
    memoryBits: depth * bits,
    ports: [
      clockPort,
      { direction: 'input', name: 'read_address', width: address },
      { direction: 'output', name: 'read_data', width: bits, reg: true, meaning: 'a cycle later' },
      { direction: 'input', name: 'write' },
      { direction: 'input', name: 'write_address', width: address },
      { direction: 'input', name: 'write_data', width: bits },
    ],
    body: [
      `reg ${range(bits)} values [0:${depth - 1}];`,
      'always @(posedge clk) begin',
      '  read_data <= values[read_address];',
      '  if (write) values[write_address] <= write_data;',
      'end',
    ],
  });
}

function wideBuffer(buffer: WideBuffer) {
  const { name, holds, bits, lanes, use } = buffer;
  const shape = wideShape(buffer);
  const { banks } = shape;
  const ports: Port[] = [clockPort];
  if (use === 'store') {
    ports.push({ direction: 'input', name: 'read_word', width: shape.word });
    ports.push({ direction: 'output', name: 'read_data', width: banks * bits, meaning: 'a cycle later' });
  } else {
    ports.push({ direction: 'input', name: 'read_address', width: shape.address, meaning: 'in values' });
    ports.push({
      direction: 'output',
      name: 'read_data',
      width: lanes * bits,
      meaning: `a cycle later; value i: bits ${bits} i and up`,
    });
  }
  if (use === 'load') {
    ports.push({ direction: 'input', name: 'write', width: banks, meaning: 'one a value' });
    ports.push({ direction: 'input', name: 'write_word', width: shape.word });
    ports.push({ direction: 'input', name: 'write_data', width: banks * bits });
  } else {
    ports.push({ direction: 'input', name: 'write', width: lanes, meaning: 'one a value' });
    ports.push({ direction: 'input', name: 'write_address', width: shape.address, meaning: 'in values' });
    ports.push({ direction: 'input', name: 'write_data', width: lanes * bits });
  }
  const side = use === 'load' ? 'reads' : use === 'store' ? 'writes' : 'reads and writes';
  return verilogModule({
    name,
    about: [
      `${holds[0]!.toUpperCase()}${holds.slice(1)}: ${side} up to ${lanes} consecutive values of ${bits} bits at any address.`,
      `Value a lies in bank a mod ${banks}, word a / ${banks}. The first value's bank decides how far the lanes are`,
      'rotated against the banks; banks before it belong to the next word.',
      ...(use === 'both' ? ['A value read in the cycle in which it is written comes out new.'] : []),
    ],
    ports,
    body: [
      ...(use === 'store'
        ? []
        : [...behindLines(shape, 'read_address', 'word'), ...readSide(shape, bits, lanes)]),
      ...(use === 'load'
        ? []
        : [...behindLines(shape, 'write_address', 'target'), ...writeSide(shape, bits, lanes)]),
      'genvar b;',
      'generate',
      `  for (b = 0; b < ${banks}; b = b + 1) begin : bank`,
      ...bankLines(buffer, shape).map((line) => `    ${line}`),
      '  end',
      'endgenerate',
    ],
  });
}

/** `wire` lines for the word each bank is asked for, from a value address. */
function wordOf(shape: WideShape, address: string, word: string): string {
  const high = `${address}[${shape.address - 1}:${shape.bank}]`;
  if (shape.banks === 1) return `wire ${range(shape.word)} ${word} = ${address};`;
  return `wire ${range(shape.word)} ${word} = ${high} + {${shape.word === 1 ? '' : `${shape.word - 1}'d0, `}${word}_behind[b]};`;
}

/** Which banks lie before the first value's, and so have their value in the next word. */
function behindLines(shape: WideShape, address: string, word: string): string[] {
  if (shape.banks === 1) return [];
  const one = literal(shape.banks, 1);
  return [
    `wire ${range(shape.banks)} ${word}_behind = (${one} << ${address}[${shape.bank - 1}:0]) - ${one};`,
  ];
}

/** Rotates `from` (one value a bank) down by `by` banks, or up, in steps of powers of two; declares `to`. */
function rotation(
  shape: WideShape,
  bits: number,
  from: string,
  by: string,
  to: string,
  up: boolean,
): string[] {
  const width = shape.banks * bits;
  if (shape.banks === 1) return [`wire ${range(width)} ${to} = ${from};`];
  const lines: string[] = [];
  let current = from;
  for (let step = 0; step < shape.bank; step++) {
    const next = step === shape.bank - 1 ? to : `${to}_${step}`;
    const moved = (up ? shape.banks - 2 ** step : 2 ** step) * bits;
    lines.push(
      `wire ${range(width)} ${next} = ${by}[${step}] ? {${current}[${moved - 1}:0], ${current}[${width - 1}:${moved}]} : ${current};`,
    );
    current = next;
  }
  return lines;
}

function readSide(shape: WideShape, bits: number, lanes: number): string[] {
  const width = shape.banks * bits;
  return [
    `wire ${range(width)} bank_data;`,
    ...(shape.banks === 1
      ? []
      : [
          `reg ${range(shape.bank)} first_q;`,
          `always @(posedge clk) first_q <= read_address[${shape.bank - 1}:0];`,
        ]),
    ...rotation(shape, bits, 'bank_data', 'first_q', 'turned', false),
    `assign read_data = turned${range(lanes * bits)};`,
    ...(lanes < shape.banks ? [`wire unused_turned = |turned[${width - 1}:${lanes * bits}];`] : []),
    '',
  ];
}

function writeSide(shape: WideShape, bits: number, lanes: number): string[] {
  const spare = shape.banks - lanes;
  const first = `write_address[${shape.bank - 1}:0]`;
  return [
    ...(shape.banks === 1 ? [] : [`wire ${range(shape.bank)} write_first = ${first};`]),
    `wire ${range(shape.banks * bits)} write_lanes = ${spare === 0 ? 'write_data' : `{${spare * bits}'d0, write_data}`};`,
    `wire ${range(shape.banks)} write_mask = ${spare === 0 ? 'write' : `{${spare}'d0, write}`};`,
    ...rotation(shape, bits, 'write_lanes', 'write_first', 'write_banks', true),
    ...rotation(shape, 1, 'write_mask', 'write_first', 'write_enables', true),
    '',
  ];
}

function bankLines({ name, bits, use }: WideBuffer, shape: WideShape): string[] {
  const slice = `[b * ${bits} +: ${bits}]`;
  const read = use === 'store' ? 'read_word' : 'word';
  const lines: string[] = [];
  if (use !== 'store') lines.push(wordOf(shape, 'read_address', 'word'));
  if (use !== 'load') lines.push(wordOf(shape, 'write_address', 'target'));
  const target = use === 'load' ? 'write_word' : 'target';
  const enable = use === 'load' ? 'write[b]' : 'write_enables[b]';
  const data = use === 'load' ? `write_data${slice}` : `write_banks${slice}`;
  const out = use === 'both' ? 'stored' : use === 'store' ? `read_data${slice}` : `bank_data${slice}`;
  if (use === 'both') lines.push(`wire ${range(bits)} stored;`);
  lines.push(
    `${name}_bank memory (`,
    '  .clk(clk),',
    `  .read_address(${read}),`,
    `  .read_data(${out}),`,
    `  .write(${enable}),`,
    `  .write_address(${target}),`,
    `  .write_data(${data})`,
    ');',
  );
  if (use === 'both') {
    lines.push(
      'reg is_new;',
      `reg ${range(bits)} newest;`,
      'always @(posedge clk) begin',
      `  is_new <= ${enable} & (${target} == ${read});`,
      `  newest <= ${data};`,
      'end',
      `assign bank_data${slice} = is_new ? newest : stored;`,
    );
  }
  return lines;
}
