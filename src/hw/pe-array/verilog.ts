/**
 * The PE array in Verilog: the processing element, and R x C of them behind one stage of operand registers.
 *
 * Timing: operands and controls at the array's ports in cycle t are registered, multiplied and added in cycle t + 1, and the
 * sum is in the accumulators from cycle t + 2 on ({@link peArrayLatency}). A `swap` or `shift` at the ports in cycle t shows
 * at chain_out from t + 2 on; the start values that a shift takes in are at chain_in in cycle t + 1.
 */
import { handoverColumns } from '../cross-channel-pool/config.ts';
import type { MachineConfig } from '../machine/config.ts';
import {
  bitsFor,
  type CountedModule,
  clockPort,
  literal,
  range,
  resetPort,
  signExtend,
  type VerilogModule,
  verilogModule,
} from '../verilog.ts';
import type { PeArrayConfig } from './config.ts';
import { depthwiseLanes } from './depthwise.ts';

/** Cycles from operands at the array's ports to their sum in the accumulators. */
export const peArrayLatency = 2;

/** Bits of the words that cross the array. */
export interface PeArrayWidths {
  /** A feature less its zero point: signed, whatever the features are. */
  readonly feature: number;
  /**
   * A weight, two's complement. Weights of one bit are -1 or +1 in memory and take two bits here: 11 and 01.
   */
  readonly weight: number;
  readonly accumulator: number;
}

export function peArrayWidths({ activationBits, weightBits, accumulatorBits }: PeArrayConfig): PeArrayWidths {
  return { feature: activationBits + 1, weight: Math.max(weightBits, 2), accumulator: accumulatorBits };
}

/** What may be left out of a PE to see what it costs; the machine's has it all. */
export interface PeParts {
  /** The second register, so that a fold drains while the next one computes. */
  readonly shadow: boolean;
  /** Folds that start from the shadow, that is from partial sums; needs one. */
  readonly preload: boolean;
}

const allParts: PeParts = { shadow: true, preload: true };

/**
 * One processing element: multiplies, adds by the accumulator's rule, and keeps the finished sum in a shadow that is a
 * link of its row's shift chain. It has no operand registers; those are the array's, shared by rows and columns.
 */
export function peVerilog({ peArray }: MachineConfig, parts: PeParts = allParts): VerilogModule {
  const { feature, weight, accumulator } = peArrayWidths(peArray);
  const isOneBit = peArray.weightBits === 1;
  const product = productBits(peArray);
  const sum = Math.max(accumulator, product) + 1;
  const zero = literal(accumulator, 0);
  const start = `first ? ${parts.preload ? `(preload ? shadow : ${zero})` : zero} : acc`;
  return verilogModule({
    name: 'pe',
    about: [
      'Processing element: one multiply-accumulate a cycle.',
      '',
      'acc    sum of the fold in progress; a fold begins with `first`, from zero or, with',
      '       `preload`, from the partial sum that was shifted into the shadow',
      ...(parts.shadow
        ? [
            'shadow sum of the fold before, on its way out: `swap` takes it over, `shift` moves',
            '       the chain on by one element. Swap and a first step may share a cycle; the',
            '       start value is then the shadow of before the swap.',
          ]
        : []),
      'A cycle without a step adds a feature of zero, which costs less than an enable for every',
      'accumulator. No reset: neither register is looked at before it has been written.',
    ],
    ports: [
      clockPort,
      { direction: 'input', name: 'first', meaning: 'a fold begins in this cycle' },
      ...(parts.preload
        ? [{ direction: 'input' as const, name: 'preload', meaning: 'that fold starts from the shadow' }]
        : []),
      ...(parts.shadow ? [{ direction: 'input' as const, name: 'swap' }] : []),
      { direction: 'input', name: 'shift' },
      {
        direction: 'input',
        name: 'feature',
        width: feature,
        signed: true,
        meaning: 'less its zero point; 0 without a step and in a masked lane',
      },
      {
        direction: 'input',
        name: 'weight',
        width: weight,
        signed: true,
        ...(isOneBit && { meaning: '-1 or +1' }),
      },
      { direction: 'input', name: 'chain_in', width: accumulator },
      { direction: 'output', name: 'chain_out', width: accumulator },
      ...(peArray.depthwise === null
        ? []
        : [
            {
              direction: 'output' as const,
              name: 'multiple',
              width: product,
              meaning: 'for the tree of adders, where acc holds a product',
            },
          ]),
    ],
    body: [
      `reg ${range(accumulator)} acc;`,
      ...(parts.shadow ? [`reg ${range(accumulator)} shadow;`] : []),
      `assign chain_out = ${parts.shadow ? 'shadow' : 'acc'};`,
      '',
      ...(isOneBit
        ? [
            '// One-bit weights need no multiplier: the sign of the weight is all it says.',
            `wire ${range(product)} extended = ${signExtend('feature', feature, product)};`,
            `wire ${range(product)} product = weight[1] ? -extended : extended;`,
            'wire unused = weight[0];',
          ]
        : [`wire signed ${range(product)} product = feature * weight;`]),
      ...(peArray.depthwise === null
        ? []
        : [
            '// In depthwise mode every step begins anew: the accumulator then holds one product.',
            `assign multiple = acc${range(product)};`,
          ]),
      ...(peArray.accumulatorOverflow === 'wrap' && product > accumulator
        ? [`wire unused_high = |product[${product - 1}:${accumulator}];`]
        : []),
      '',
      `wire ${range(accumulator)} start = ${start};`,
      ...settledSum({
        sum,
        result: accumulator,
        left: { name: 'start', width: accumulator },
        right: { name: 'product', width: product },
        overflow: peArray.accumulatorOverflow,
      }),
      '',
      'always @(posedge clk) begin',
      ...(parts.shadow
        ? ['  acc <= settled;', '  if (swap) shadow <= acc;', '  else if (shift) shadow <= chain_in;']
        : ['  acc <= shift ? chain_in : settled;']),
      'end',
    ],
  });
}

interface SettledSum {
  /** Bits of the exact sum: one more than the wider operand. */
  readonly sum: number;
  /** Bits of the register it has to fit. */
  readonly result: number;
  /** Two vectors by name, taken as two's complement. */
  readonly left: { readonly name: string; readonly width: number };
  readonly right: { readonly name: string; readonly width: number };
  readonly overflow: 'saturate' | 'wrap';
}

/**
 * Lines that declare `settled`, the sum of two signed vectors as the accumulator's rule leaves it in `result` bits
 * (`accumulate` in core/fixed-point.ts).
 */
export function settledSum({ sum, result, left, right, overflow }: SettledSum): string[] {
  const add = (width: number): string =>
    `${operand(left.name, left.width, width)} + ${operand(right.name, right.width, width)}`;
  if (overflow === 'wrap') {
    return [
      '// Wraps: bits above the accumulator are not even computed.',
      `wire ${range(result)} settled = ${add(result)};`,
    ];
  }
  const sign = `exact[${sum - 1}]`;
  // Bits of the exact sum that equal its sign where it fits.
  const high = `exact[${sum - 2}:${result - 1}]`;
  return [
    '// Saturates: the exact sum fits where its bits from the sign of the result up are all equal.',
    `wire ${range(sum)} exact = ${add(sum)};`,
    `wire above = ~${sign} & (|${high});`,
    `wire below = ${sign} & ~(&${high});`,
    `wire ${range(result)} settled = {${sign}, (exact${range(result - 1)} | {${result - 1}{above}}) & ~{${result - 1}{below}}};`,
  ];
}

/** A signed vector in `to` bits: its sign repeated, or its high bits cut off. */
function operand(name: string, from: number, to: number): string {
  if (from > to) return `${name}${range(to)}`;
  return signExtend(name, from, to);
}

/** The array and its elements. */
export function peArrayModules(machine: MachineConfig): readonly CountedModule[] {
  const { rows, columns } = machine.peArray;
  return [
    { ...peArrayVerilog(machine), count: 1 },
    { ...peVerilog(machine), count: rows * columns },
  ];
}

/** R x C processing elements, the operand registers, and the shift chain of each row. */
export function peArrayVerilog({ peArray, postProcessing }: MachineConfig): VerilogModule {
  const { rows, columns, depthwise } = peArray;
  const chains = handoverColumns(postProcessing.crossChannelPool, columns);
  const isOne = chains === 1;
  /** A row's columns, and behind them what stands for chain_in. */
  const span = columns + chains;
  const { feature, weight, accumulator } = peArrayWidths(peArray);
  const product = productBits(peArray);
  return verilogModule({
    name: 'pe_array',
    about: [
      `${rows} x ${columns} processing elements, output-stationary: a feature is broadcast along its row, a`,
      'weight down its column.',
      '',
      'Operands and controls pass one register stage together: what is at the ports in one cycle',
      ...(isOne
        ? [
            'acts in the next. The shadows of a row form a chain that leaves at column 0; column c takes',
            `over from column c + 1, and column ${columns - 1} from chain_in. That is not registered here, as it`,
          ]
        : [
            `acts in the next. The shadows of a row form ${chains} chains that leave at columns 0 to ${chains - 1}; column c takes`,
            `over from column c + ${chains}, and the last ${chains} from chain_in. That is not registered here, as it`,
          ]),
      'comes out of a memory: it belongs to the `shift` of the cycle before.',
      ...(depthwise === null
        ? []
        : [
            '',
            'Depthwise mode: `features` are neighbours of one input row. With the rows before them, which pass',
            `shift registers, element (l, t) multiplies tap t of the ${depthwise.kernel} x ${depthwise.kernel} window of output column l, and a tree`,
            'adds the products, which the accumulators hold for a step.',
          ]),
    ],
    ports: [
      clockPort,
      resetPort,
      { direction: 'input', name: 'step' },
      { direction: 'input', name: 'first' },
      { direction: 'input', name: 'preload' },
      { direction: 'input', name: 'swap' },
      isOne
        ? { direction: 'input', name: 'shift' }
        : { direction: 'input', name: 'shift', width: chains, meaning: 'one a chain' },
      ...(depthwise === null
        ? []
        : ([
            { direction: 'input', name: 'depthwise', meaning: 'features are a row of a strip' },
            { direction: 'input', name: 'stride_two', meaning: 'output columns are two input columns apart' },
          ] as const)),
      {
        direction: 'input',
        name: 'features',
        width: rows * feature,
        meaning: `row r: bits ${feature} r and up, signed`,
      },
      {
        direction: 'input',
        name: 'weights',
        width: columns * weight,
        meaning: `column c: bits ${weight} c and up, signed`,
      },
      {
        direction: 'input',
        name: 'chain_in',
        width: rows * accumulator,
        meaning: 'start values, one a row; a cycle behind `shift`',
      },
      {
        direction: 'output',
        name: 'chain_out',
        width: chains * rows * accumulator,
        meaning: isOne
          ? 'the shadows of column 0'
          : `the shadows of column c: from bit ${rows * accumulator} c, c below ${chains}`,
      },
      ...(depthwise === null
        ? []
        : ([
            {
              direction: 'output',
              name: 'strip_sums',
              width: rows * accumulator,
              meaning: 'of the windows that the row completes; two cycles behind it, until the next row',
            },
          ] as const)),
    ],
    body: [
      isOne ? 'reg first_q, preload_q, swap_q, shift_q;' : 'reg first_q, preload_q, swap_q;',
      ...(isOne ? [] : [`reg ${range(chains)} shift_q;`]),
      `reg ${range(rows * feature)} features_q;`,
      `reg ${range(columns * weight)} weights_q;`,
      '',
      '// Only what makes the elements act needs a reset; data is not looked at without it. Without a',
      '// step the features are zero, and no fold begins: the accumulators then stay as they are.',
      'always @(posedge clk) begin',
      `  first_q <= ${depthwise === null ? 'first' : '(first | depthwise)'} & ~rst;`,
      '  swap_q <= swap & ~rst;',
      isOne ? '  shift_q <= shift & ~rst;' : `  shift_q <= shift & {${chains}{~rst}};`,
      '  preload_q <= preload;',
      `  features_q <= features & {${rows * feature}{${depthwise === null ? 'step' : 'step | depthwise'}}};`,
      '  weights_q <= weights;',
      'end',
      '',
      `// Shadow of row r, column c, from bit ${accumulator} (${span} r + c); column${isOne ? '' : 's from'} ${columns} stand${isOne ? 's' : ''} for chain_in.`,
      `wire ${range(rows * span * accumulator)} chain;`,
      '',
      ...(depthwise === null ? [] : windowLines(peArray, depthwise.kernel)),
      'genvar r, c;',
      'generate',
      `  for (r = 0; r < ${rows}; r = r + 1) begin : row`,
      ...(isOne
        ? [
            `    assign chain[((r + 1) * ${span} - 1) * ${accumulator} +: ${accumulator}] = chain_in[r * ${accumulator} +: ${accumulator}];`,
            `    assign chain_out[r * ${accumulator} +: ${accumulator}] = chain[r * ${span * accumulator} +: ${accumulator}];`,
          ]
        : [
            `    for (c = 0; c < ${chains}; c = c + 1) begin : link`,
            `      assign chain[(r * ${span} + ${columns} + c) * ${accumulator} +: ${accumulator}] = chain_in[r * ${accumulator} +: ${accumulator}];`,
            `      assign chain_out[(c * ${rows} + r) * ${accumulator} +: ${accumulator}] = chain[(r * ${span} + c) * ${accumulator} +: ${accumulator}];`,
            '    end',
          ]),
      `    for (c = 0; c < ${columns}; c = c + 1) begin : column`,
      ...(depthwise === null
        ? []
        : [
            `      wire ${range(feature)} wanted = window[(r * ${columns} + c) * ${feature} +: ${feature}];`,
            `      wire ${range(feature)} own = depthwise_q ? wanted : features_q[r * ${feature} +: ${feature}];`,
          ]),
      '      pe element (',
      '        .clk(clk),',
      '        .first(first_q),',
      '        .preload(preload_q),',
      '        .swap(swap_q),',
      isOne ? '        .shift(shift_q),' : `        .shift(shift_q[c % ${chains}]),`,
      depthwise === null
        ? `        .feature(features_q[r * ${feature} +: ${feature}]),`
        : '        .feature(own),',
      ...(depthwise === null
        ? []
        : [`        .multiple(multiples[(r * ${columns} + c) * ${product} +: ${product}]),`]),
      `        .weight(weights_q[c * ${weight} +: ${weight}]),`,
      `        .chain_in(chain[(r * ${span} + c + ${chains}) * ${accumulator} +: ${accumulator}]),`,
      `        .chain_out(chain[(r * ${span} + c) * ${accumulator} +: ${accumulator}])`,
      '      );',
      '    end',
      '  end',
      'endgenerate',
      ...(depthwise === null ? [] : treeLines(peArray, depthwise.kernel)),
    ],
  });
}

/** What each element takes in depthwise mode. */
function windowLines(peArray: PeArrayConfig, kernel: number): string[] {
  const { rows, columns } = peArray;
  const { feature } = peArrayWidths(peArray);
  const product = productBits(peArray);
  // The value of a place in the row that came `age` rows ago.
  const value = (age: number, place: number): string =>
    `${age === 0 ? 'features_q' : `row_${age}`}[${place * feature} +: ${feature}]`;
  const lanes = [1, 2].map((stride) => depthwiseLanes(peArray, kernel, kernel, stride));
  const places: string[] = [];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const age = kernel - 1 - Math.floor(column / kernel);
      const tap = column % kernel;
      const isTap = column < kernel * kernel;
      const one = isTap && row < lanes[0]! ? value(age, row + tap) : undefined;
      const two = isTap && row < lanes[1]! ? value(age, 2 * row + tap) : undefined;
      places.push(
        one === undefined
          ? literal(feature, 0)
          : two === undefined || two === one
            ? one
            : `(stride_two_q ? ${two} : ${one})`,
      );
    }
  }
  return [
    'reg depthwise_q, stride_two_q;',
    'always @(posedge clk) begin',
    '  depthwise_q <= depthwise & ~rst;',
    '  stride_two_q <= stride_two;',
    'end',
    '// Rows of the strip before this one.',
    ...Array.from({ length: kernel - 1 }, (_, index) => [
      `reg ${range(rows * feature)} row_${index + 1};`,
      `always @(posedge clk) if (depthwise_q) row_${index + 1} <= ${index === 0 ? 'features_q' : `row_${index}`};`,
    ]).flat(),
    `wire ${range(rows * columns * product)} multiples;`,
    `wire ${range(rows * columns * feature)} window;`,
    ...places.map(
      (place, index) => `assign window[${(index + 1) * feature - 1}:${index * feature}] = ${place};`,
    ),
    '',
  ];
}

/** The sums of the taps, a row each. */
function treeLines(peArray: PeArrayConfig, kernel: number): string[] {
  const { rows, columns } = peArray;
  const { accumulator } = peArrayWidths(peArray);
  const product = productBits(peArray);
  const taps = kernel * kernel;
  const total = product + bitsFor(taps - 1) + 1;
  const lanes = depthwiseLanes(peArray, kernel, kernel, 1);
  const lines: string[] = [];
  for (let row = 0; row < rows; row++) {
    const slice = `[${(row + 1) * accumulator - 1}:${row * accumulator}]`;
    if (row >= lanes) {
      lines.push(`assign strip_sums${slice} = ${literal(accumulator, 0)};`);
      continue;
    }
    const terms: string[] = [];
    for (let tap = 0; tap < taps; tap++) {
      const name = `tap_${row}_${tap}`;
      lines.push(
        `wire ${range(product)} ${name} = multiples[${(row * columns + tap) * product} +: ${product}];`,
      );
      terms.push(signExtend(name, product, total));
    }
    lines.push(
      `wire ${range(total)} tree_${row} = ${balanced(terms)};`,
      `assign strip_sums${slice} = ${total >= accumulator ? `tree_${row}${range(accumulator)}` : signExtend(`tree_${row}`, total, accumulator)};`,
    );
    if (total > accumulator) lines.push(`wire unused_${row} = &tree_${row};`);
  }
  lines.push('wire unused_multiples = &{multiples, stride_two_q};');
  return lines;
}

/** A sum of terms as a tree of additions. */
function balanced(terms: readonly string[]): string {
  if (terms.length === 1) return terms[0]!;
  const half = Math.ceil(terms.length / 2);
  return `(${balanced(terms.slice(0, half))} + ${balanced(terms.slice(half))})`;
}

/** Bits of an element's product. */
function productBits(peArray: PeArrayConfig): number {
  const { feature, weight } = peArrayWidths(peArray);
  return peArray.weightBits === 1 ? feature + 1 : feature + weight;
}
