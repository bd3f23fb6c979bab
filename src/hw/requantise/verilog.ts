/**
 * The requantiser in Verilog: one vector of R lanes a cycle, in three stages: sum with the bias | scale | round, add the
 * zero point, saturate. All lanes share one record, as all pixels of a vector belong to one filter, and with it the
 * registers that take its settings down the pipeline.
 */
import type { Rounding } from '../../core/fixed-point.ts';
import { handoverColumns } from '../cross-channel-pool/config.ts';
import type { MachineConfig } from '../machine/config.ts';
import { settledSum } from '../pe-array/verilog.ts';
import {
  bitsFor,
  type CountedModule,
  clockPort,
  literal,
  type Port,
  range,
  signExtend,
  type VerilogModule,
  verilogModule,
} from '../verilog.ts';
import { operandMultiplierBits } from './parameters.ts';

/** Cycles from a value at the ports to its result at them. */
export const requantiseLatency = 3;

/** Bits of a value behind the requantiser: any activation of up to 16 bits, signed or not, as a signed number. */
export const valueBits = 17;

/** Bits of a record's shift, 0..62. */
const shiftBits = 6;
const maximumShift = 62;

/** Fraction bits of a negative slope with `form: shift`, as quantisation has it. */
const slopeBits = 8;

/**
 * Bits of the shifted value that rounding and saturation look at. Zero point and bounds have 17, so whatever does not fit
 * 19 saturates, one more by rounding or not.
 */
const coarseBits = valueBits + 2;

/** Bits of what streams past the array: up to 15 values less their zero points, each times 16 bits (`operands` in the ISA). */
export function streamedBits({ peArray }: MachineConfig): number {
  return peArray.activationBits + 1 + operandMultiplierBits + 4;
}

/** Bits of a value that comes to be requantised: a sum of the array's, or one that streams past it. */
export function requantiseInputBits(machine: MachineConfig): number {
  return Math.max(machine.peArray.accumulatorBits, streamedBits(machine));
}

/** How the second stage scales; all in bits. */
interface Scaling {
  /** The unsigned factor a lane multiplies by. */
  readonly factor: number;
  /** A lane's product, signed. */
  readonly product: number;
  /** Zeros behind the product. */
  readonly zeros: number;
  /** The distance that is then shifted to the right. */
  readonly distance: number;
}

/**
 * 'multiplier': the factor is one of the record's two multipliers.
 *
 * 'shift': the positive multiplier is 2^k, the negative one a multiple n of 2^k / 2^8 up to 2^k. So a lane multiplies by 2^8
 * (positive values: wiring) or by n, at most nine bits, and shifts by `shift - k` + 8. `most - 8` zeros behind the product,
 * `most` being the largest k, keep that distance from becoming negative.
 */
function scalingOf(machine: MachineConfig): Scaling {
  const { form, multiplierBits } = machine.postProcessing.requantise;
  const input = requantiseInputBits(machine);
  if (form === 'multiplier') {
    return {
      factor: multiplierBits,
      product: input + multiplierBits,
      zeros: 0,
      distance: shiftBits,
    };
  }
  const most = multiplierBits - 1;
  const fraction = Math.min(slopeBits, most);
  return {
    factor: fraction + 1,
    product: input + fraction,
    zeros: most - fraction,
    distance: bitsFor(maximumShift + most),
  };
}

const scalar = (direction: Port['direction'], name: string, meaning?: string): Port => ({
  direction,
  name,
  ...(meaning !== undefined && { meaning }),
});

const vector = (direction: Port['direction'], name: string, width: number, meaning?: string): Port => ({
  ...scalar(direction, name, meaning),
  width,
});

/** Columns requantised in one cycle: as many as leave together, unless a maximum makes one of them before. */
export function requantisers({ peArray, postProcessing }: MachineConfig): number {
  const unit = postProcessing.crossChannelPool;
  return unit?.position === 'before' ? 1 : handoverColumns(unit, peArray.columns);
}

/** Whether biases are added in front of the unit, where maxima of sums are taken. */
function isBiased({ postProcessing }: MachineConfig): boolean {
  return postProcessing.crossChannelPool?.position === 'before';
}

/** The unit and its lanes. */
export function requantiseModules(machine: MachineConfig): readonly CountedModule[] {
  const units = requantisers(machine);
  return [
    { ...requantiseVerilog(machine), count: units },
    { ...requantiseLaneVerilog(machine), count: units * machine.peArray.rows },
    ...(isBiased(machine) ? biasModules(machine) : []),
  ];
}

/** Biases of the columns that leave together: of a column that may be a stream, and of the others. */
function biasModules(machine: MachineConfig): CountedModule[] {
  const { peArray, postProcessing } = machine;
  const others = handoverColumns(postProcessing.crossChannelPool, peArray.columns) - 1;
  return [
    { ...biasLaneVerilog(machine, true), count: peArray.rows },
    ...(others === 0 ? [] : [{ ...biasLaneVerilog(machine, false), count: others * peArray.rows }]),
  ];
}

/** A lane's bias in front of cross-channel pooling: combinational. */
function biasLaneVerilog(machine: MachineConfig, takesStreams: boolean): VerilogModule {
  const accumulator = machine.peArray.accumulatorBits;
  const input = takesStreams ? requantiseInputBits(machine) : accumulator;
  const isWider = input > accumulator;
  return verilogModule({
    name: takesStreams ? 'bias_lane' : 'column_bias_lane',
    about: [
      "A lane's sum with its bias, by the accumulator's rule, for a maximum over columns. Combinational.",
      ...(takesStreams ? ['With `bypass` a value leaves as it came.'] : []),
    ],
    ports: [
      vector('input', 'value', input, 'signed'),
      ...(isWider ? [scalar('input', 'streamed', 'a value wider than an accumulator')] : []),
      ...(takesStreams ? [scalar('input', 'bypass')] : []),
      vector('input', 'bias', accumulator, 'signed'),
      vector('output', 'out', input, 'signed'),
    ],
    body: [
      ...settledLines(machine, isWider),
      ...(isWider ? [`wire ${range(input)} wide = value + ${signExtend('bias', accumulator, input)};`] : []),
      takesStreams
        ? `assign out = bypass ? value : ${isWider ? `streamed ? wide : ${signExtend('settled', accumulator, input)}` : 'settled'};`
        : 'assign out = settled;',
    ],
  });
}

/** `settled`: value and bias, added by the accumulator's rule. */
function settledLines({ peArray }: MachineConfig, isWider: boolean): string[] {
  const accumulator = peArray.accumulatorBits;
  return [
    ...(isWider ? [`wire ${range(accumulator)} sum_in = value${range(accumulator)};`] : []),
    ...settledSum({
      sum: accumulator + 1,
      result: accumulator,
      left: { name: isWider ? 'sum_in' : 'value', width: accumulator },
      right: { name: 'bias', width: accumulator },
      overflow: peArray.accumulatorOverflow,
    }),
  ];
}

/**
 * R lanes and what they share. Biases must fit the accumulator, as quantisation makes them; with `form: shift` the
 * multipliers must be as {@link scalingOf} says.
 */
export function requantiseVerilog(machine: MachineConfig): VerilogModule {
  const { peArray, postProcessing } = machine;
  const { form, rounding, multiplierBits } = postProcessing.requantise;
  const { factor, distance } = scalingOf(machine);
  const lanes = peArray.rows;
  const accumulator = peArray.accumulatorBits;
  const input = requantiseInputBits(machine);
  const biased = isBiased(machine);
  const isWider = input > accumulator && !biased;
  const isShift = form === 'shift';
  return verilogModule({
    name: 'requantise',
    about: [
      biased
        ? 'Requantiser and activation: y = clamp(zero_point + round(v * m / 2^shift)), v a value with its bias,'
        : 'Requantiser and activation: y = clamp(zero_point + round(v * m / 2^shift)), v = value + bias,',
      `m by the sign of v; rounding: ${rounding}. ${lanes} lanes, ${requantiseLatency} cycles, one vector a cycle.`,
      'With `bypass` a value leaves as it came. Needs low <= high.',
      ...(isShift
        ? [
            '',
            'The positive multiplier is a power of two; the negative one is at most that, and a multiple',
            `of 1/${2 ** (factor - 1)} of it. What follows from the two is found here, once for all lanes.`,
          ]
        : []),
    ],
    ports: [
      clockPort,
      vector('input', 'values', lanes * input, `lane i: bits ${input} i and up, signed`),
      ...(isWider ? [scalar('input', 'streamed', 'values are wider than an accumulator')] : []),
      ...(biased ? [] : [vector('input', 'bias', accumulator, 'signed')]),
      vector('input', 'positive_multiplier', multiplierBits, 'unsigned'),
      vector('input', 'negative_multiplier', multiplierBits, 'unsigned'),
      vector('input', 'shift', shiftBits, `0..${maximumShift}`),
      vector('input', 'low', valueBits, 'signed'),
      vector('input', 'high', valueBits, 'signed'),
      vector('input', 'zero_point', valueBits, 'signed'),
      scalar('input', 'bypass'),
      vector('output', 'out', lanes * valueBits, `lane i: bits ${valueBits} i and up, signed`),
    ],
    body: [
      '// The settings on their way down the pipeline; the digit is the stage that has them.',
      ...(isShift ? [] : [`reg ${range(factor)} positive_factor_1;`]),
      `reg ${range(factor)} negative_factor_1;`,
      `reg ${range(distance)} distance_1, distance_2;`,
      `reg ${range(valueBits)} low_1, low_2, high_1, high_2, zero_point_1, zero_point_2;`,
      'reg bypass_1, bypass_2;',
      '',
      ...(isShift ? slopeLines(multiplierBits, factor - 1, distance) : []),
      'always @(posedge clk) begin',
      ...(isShift
        ? ['  negative_factor_1 <= slope;', '  distance_1 <= distance;']
        : [
            '  positive_factor_1 <= positive_multiplier;',
            '  negative_factor_1 <= negative_multiplier;',
            '  distance_1 <= shift;',
          ]),
      '  distance_2 <= distance_1;',
      ...['low', 'high', 'zero_point', 'bypass'].flatMap((name) => [
        `  ${name}_1 <= ${name};`,
        `  ${name}_2 <= ${name}_1;`,
      ]),
      'end',
      '',
      'genvar i;',
      'generate',
      `  for (i = 0; i < ${lanes}; i = i + 1) begin : lane`,
      '    requantise_lane unit (',
      '      .clk(clk),',
      `      .value(values[i * ${input} +: ${input}]),`,
      ...(isWider ? ['      .streamed(streamed),'] : []),
      ...(biased ? [] : ['      .bias(bias),', '      .bypass(bypass),']),
      ...(isShift ? [] : ['      .positive_factor_1(positive_factor_1),']),
      '      .negative_factor_1(negative_factor_1),',
      '      .bypass_1(bypass_1),',
      '      .distance_2(distance_2),',
      '      .low_2(low_2),',
      '      .high_2(high_2),',
      '      .zero_point_2(zero_point_2),',
      '      .bypass_2(bypass_2),',
      `      .out(out[i * ${valueBits} +: ${valueBits}])`,
      '    );',
      '  end',
      'endgenerate',
    ],
  });
}

/** `slope` and `distance` of multipliers 2^k and n: as the one-hot positive multiplier selects them. */
function slopeLines(multiplierBits: number, fraction: number, distance: number): string[] {
  const most = multiplierBits - 1;
  const positions = Array.from({ length: multiplierBits }, (_, k) => k);
  const select = (k: number, width: number, value: string): string =>
    `  ({${width}{positive_multiplier[${k}]}} & ${value})${k < most ? ' |' : ';'}`;
  return [
    `// The negative multiplier in units of 2^k / ${2 ** fraction}: its bits from k down.`,
    `wire ${range(fraction + 1)} slope =`,
    ...positions.map((k) => {
      const bits = `negative_multiplier[${k}:${Math.max(0, k - fraction)}]`;
      const pad = fraction - k;
      const above = fraction + 1 - (Math.min(k, fraction) + 1 + Math.max(0, pad));
      return select(
        k,
        fraction + 1,
        pad > 0 ? `{${bits}, ${literal(pad, 0)}}` : above > 0 ? `{${literal(above, 0)}, ${bits}}` : bits,
      );
    }),
    `// ${most} - k; with it, and the zeros behind the product, the distance is never negative.`,
    `wire ${range(distance)} complement =`,
    ...positions.map((k) => select(k, distance, literal(distance, most - k))),
    `wire ${range(distance)} distance = {${literal(distance - shiftBits, 0)}, shift} + complement;`,
    '',
  ];
}

/** One lane: the data of three stages, and the settings from the stage that reads them. */
export function requantiseLaneVerilog(machine: MachineConfig): VerilogModule {
  const { peArray, postProcessing } = machine;
  const { form, rounding } = postProcessing.requantise;
  const { factor, product, zeros, distance } = scalingOf(machine);
  const accumulator = peArray.accumulatorBits;
  const input = requantiseInputBits(machine);
  const biased = isBiased(machine);
  const isWider = input > accumulator && !biased;
  const isShift = form === 'shift';
  // A bypassed value takes the same registers, hence they have its bits at least.
  const scaled = Math.max(product + zeros, valueBits);
  const positive = isShift ? literal(factor, 2 ** (factor - 1)) : 'positive_factor_1';
  return verilogModule({
    name: 'requantise_lane',
    about: [
      'One lane of the requantiser. A digit at the end of a name is the number of register stages',
      'behind the ports of `requantise`.',
    ],
    ports: [
      clockPort,
      vector('input', 'value', input, 'signed'),
      ...(isWider ? [scalar('input', 'streamed')] : []),
      ...(biased ? [] : [vector('input', 'bias', accumulator, 'signed'), scalar('input', 'bypass')]),
      ...(isShift ? [] : [vector('input', 'positive_factor_1', factor, 'unsigned')]),
      vector('input', 'negative_factor_1', factor, 'unsigned'),
      scalar('input', 'bypass_1'),
      vector('input', 'distance_2', distance),
      vector('input', 'low_2', valueBits, 'signed'),
      vector('input', 'high_2', valueBits, 'signed'),
      vector('input', 'zero_point_2', valueBits, 'signed'),
      scalar('input', 'bypass_2'),
      { ...vector('output', 'out', valueBits, 'signed'), reg: true },
    ],
    body: [
      ...(biased
        ? ['// Stage 1: the bias was added in front.']
        : ["// Stage 1: the bias, added by the accumulator's rule.", ...settledLines(machine, isWider)]),
      `reg ${range(input)} v_1;`,
      ...(isWider
        ? [
            '// What streams past the array has room for its bias.',
            `wire ${range(input)} wide = value + ${signExtend('bias', accumulator, input)};`,
            `always @(posedge clk) v_1 <= bypass ? value : streamed ? wide : ${signExtend('settled', accumulator, input)};`,
          ]
        : [`always @(posedge clk) v_1 <= ${biased ? 'value' : 'bypass ? value : settled'};`]),
      '',
      '// Stage 2: scale. The factor is unsigned; a zero in front of it makes the product a signed one.',
      `wire ${range(factor)} factor = v_1[${input - 1}] ? negative_factor_1 : ${positive};`,
      `wire signed ${range(product)} product = $signed(v_1) * $signed({1'b0, factor});`,
      `wire ${range(scaled)} scaled = ${padded(product, zeros, scaled)};`,
      `wire ${range(valueBits)} bypassed = v_1${range(valueBits)};`,
      `reg ${range(scaled)} scaled_2;`,
      'always @(posedge clk) begin',
      ...(scaled > valueBits
        ? [`  scaled_2[${scaled - 1}:${valueBits}] <= scaled[${scaled - 1}:${valueBits}];`]
        : []),
      `  scaled_2${range(valueBits)} <= bypass_1 ? bypassed : scaled${range(valueBits)};`,
      'end',
      '',
      ...shiftLines(scaled, distance, rounding),
      ...roundLines(scaled, distance, rounding),
      '',
      'always @(posedge clk)',
      `  out <= bypass_2 ? scaled_2${range(valueBits)}`,
      '       : $signed(sum) < $signed(least) ? low_2',
      '       : $signed(sum) > $signed(most) ? high_2',
      `       : sum${range(valueBits)};`,
    ],
  });
}

/** The product with its zeros behind it, in `width` bits. */
function padded(product: number, zeros: number, width: number): string {
  const above = width - product - zeros;
  const parts = [
    ...(above > 0 ? [`{${above}{product[${product - 1}]}}`] : []),
    'product',
    ...(zeros > 0 ? [literal(zeros, 0)] : []),
  ];
  return parts.length === 1 ? 'product' : `{${parts.join(', ')}}`;
}

/**
 * The shifter: one stage a bit of the distance. Bit 0 of the last stage is the guard bit, the highest that drops out; whether
 * any bit below it is set is gathered on the way. A rounding that does not ask for either does not get it.
 */
function shiftLines(scaled: number, distance: number, rounding: Rounding): string[] {
  const width = scaled + guardBits(rounding);
  const hasSticky = needsSticky(rounding);
  const lines = [
    '// Stage 3: shift right, then round, add the zero point and saturate.',
    ...(width > scaled ? ['// Bit 0 of what is left is the guard bit, the highest that drops out.'] : []),
    ...(hasSticky ? ['// The sticky bit is the OR of all below the guard bit.'] : []),
    `wire ${range(width)} shifted_0 = ${width > scaled ? "{scaled_2, 1'b0}" : 'scaled_2'};`,
  ];
  for (let bit = 0; bit < distance; bit++) {
    const by = Math.min(2 ** bit, width);
    const from = `shifted_${bit}`;
    const sign = `{${by}{${from}[${width - 1}]}}`;
    const moved = by === width ? sign : `{${sign}, ${from}[${width - 1}:${by}]}`;
    lines.push(`wire ${range(width)} shifted_${bit + 1} = distance_2[${bit}] ? ${moved} : ${from};`);
    if (hasSticky) {
      const before = bit === 0 ? '' : `sticky_${bit} | `;
      lines.push(`wire sticky_${bit + 1} = ${before}(distance_2[${bit}] & (|${from}${range(by)}));`);
    }
  }
  return [...lines, ''];
}

const needsSticky = (rounding: Rounding): boolean => rounding === 'half-even' || rounding === 'half-away';
const guardBits = (rounding: Rounding): number => (rounding === 'truncate' ? 0 : 1);

/** Rounding, zero point and bounds of what the shifter leaves. */
function roundLines(scaled: number, distance: number, rounding: Rounding): string[] {
  const guard = guardBits(rounding);
  const top = scaled - 1 + guard;
  const sign = `rest[${top}]`;
  const sticky = `sticky_${distance}`;
  const up: Record<Rounding, string> = {
    'half-even': `rest[0] & (${sticky} | rest[1])`,
    'half-up': 'rest[0]',
    'half-away': `rest[0] & (${sticky} | ~${sign})`,
    truncate: '',
  };
  const extended = (name: string, width: number): string => signExtend(name, width, coarseBits + 1);
  const terms = [extended('coarse', coarseBits), extended('zero_point_2', valueBits)];
  if (guard > 0) terms.push(`{${literal(coarseBits, 0)}, round_up}`);
  return [
    `wire ${range(scaled + guard)} rest = shifted_${distance};`,
    ...(guard > 0 ? [`wire round_up = ${up[rounding]};`] : []),
    ...(scaled > coarseBits
      ? [
          `// What does not fit ${coarseBits} bits saturates below, whatever the zero point and the bounds are.`,
          `wire fits = rest[${top}:${coarseBits - 1 + guard}] == {${scaled - coarseBits + 1}{${sign}}};`,
          `wire ${range(coarseBits)} coarse = fits ? rest[${coarseBits - 1 + guard}:${guard}] : {${sign}, {${coarseBits - 1}{~${sign}}}};`,
        ]
      : [
          `wire ${range(coarseBits)} coarse = {${repeated(sign, coarseBits - scaled)}rest[${top}:${guard}]};`,
        ]),
    `wire ${range(coarseBits + 1)} sum = ${terms.join(' + ')};`,
    `wire ${range(coarseBits + 1)} least = ${extended('low_2', valueBits)};`,
    `wire ${range(coarseBits + 1)} most = ${extended('high_2', valueBits)};`,
  ];
}

/** The front part of a concatenation: `bit` so many times, or nothing. */
function repeated(bit: string, times: number): string {
  return times === 0 ? '' : `{${times}{${bit}}}, `;
}
