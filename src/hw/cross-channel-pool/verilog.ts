/**
 * The cross-channel pooling (CCP) unit in Verilog, in every form that a machine may have.
 */
import { assert } from '../../core/diagnostics.ts';
import type { MachineConfig } from '../machine/config.ts';
import {
  bitsFor,
  type CountedModule,
  clockPort,
  literal,
  range,
  type VerilogModule,
  verilogModule,
} from '../verilog.ts';
import { handoverColumns } from './config.ts';

/** A way of taking maxima over channels. */
export type CrossChannelForm =
  /** Over channels that come one after the other: a register a lane. */
  | {
      readonly kind: 'running';
      /** Values a cycle. */
      readonly lanes: number;
      /** Bits of a value, signed. */
      readonly bits: number;
      /** Maxima kept open a lane: vectors of so many groups may come in turn. */
      readonly depth: number;
    }
  /** Over neighbouring columns that come in one cycle: combinational. */
  | {
      readonly kind: 'tree';
      readonly lanes: number;
      readonly bits: number;
      /** Columns that come at once, a power of two from 2 on; groups are as large, or halves, quarters.. of it. */
      readonly columns: number;
    };

/** Bits of the unit's values, as signed numbers: sums, or activations, which may be signed or not. */
export function crossChannelBits({ peArray, postProcessing }: MachineConfig): number {
  return postProcessing.crossChannelPool?.position === 'before'
    ? peArray.accumulatorBits
    : peArray.activationBits + 1;
}

/** What a machine's unit is; undefined without one, and for a tree over columns that cannot be shared out. */
export function crossChannelForm(machine: MachineConfig): CrossChannelForm | undefined {
  const unit = machine.postProcessing.crossChannelPool;
  if (unit === null) return undefined;
  const { rows: lanes, columns } = machine.peArray;
  const bits = crossChannelBits(machine);
  if (unit.form === 'running') return { kind: 'running', lanes, bits, depth: unit.depth };
  const handover = handoverColumns(unit, columns);
  return handover === 1 ? undefined : { kind: 'tree', lanes, bits, columns: handover };
}

/** The machine's unit; none for a machine without one. */
export function crossChannelPoolModules(machine: MachineConfig): readonly CountedModule[] {
  const form = crossChannelForm(machine);
  return form === undefined ? [] : [{ ...crossChannelVerilog(form), count: 1 }];
}

/** Any form of the unit, as module `cross_channel_pool`. */
export function crossChannelVerilog(form: CrossChannelForm): VerilogModule {
  return form.kind === 'tree' ? tree(form) : running(form);
}

function running({ lanes, bits, depth }: Extract<CrossChannelForm, { kind: 'running' }>): VerilogModule {
  const slot = bitsFor(depth - 1);
  const held = depth === 1 ? 'held' : 'slots[slot]';
  const lane = `i * ${bits} +: ${bits}`;
  return verilogModule({
    name: 'cross_channel_pool',
    about: [
      `Cross-channel pooling: the running maximum of each of ${lanes} lanes over the vectors of a group.`,
      'The last one leaves with the maxima, in the same cycle; the others are absorbed.',
      ...(depth > 1 ? [`${depth} groups may be open; \`slot\` says which one a vector belongs to.`] : []),
      'No reset: `first` starts a group without looking at what is held.',
    ],
    ports: [
      clockPort,
      { direction: 'input', name: 'valid' },
      { direction: 'input', name: 'first', meaning: 'of its group' },
      { direction: 'input', name: 'last', meaning: 'of its group; a group of one is both' },
      ...(depth > 1 ? [{ direction: 'input' as const, name: 'slot', width: slot }] : []),
      {
        direction: 'input',
        name: 'values',
        width: lanes * bits,
        meaning: `lane i: bits ${bits} i and up, signed`,
      },
      { direction: 'output', name: 'out_valid' },
      { direction: 'output', name: 'out', width: lanes * bits, meaning: 'the maxima, laid out likewise' },
    ],
    body: [
      'assign out_valid = valid & last;',
      '',
      'genvar i;',
      'generate',
      `  for (i = 0; i < ${lanes}; i = i + 1) begin : lane`,
      `    wire ${range(bits)} value = values[${lane}];`,
      depth === 1 ? `    reg ${range(bits)} held;` : `    reg ${range(bits)} slots [0:${depth - 1}];`,
      ...(depth === 1 ? [] : [`    wire ${range(bits)} held = ${held};`]),
      '    wire takes = valid & (first | ($signed(value) > $signed(held)));',
      `    wire ${range(bits)} maximum = takes ? value : held;`,
      `    assign out[${lane}] = maximum;`,
      `    always @(posedge clk) ${held} <= maximum;`,
      '  end',
      'endgenerate',
    ],
  });
}

function tree({ lanes, bits, columns }: Extract<CrossChannelForm, { kind: 'tree' }>): VerilogModule {
  const levels = Math.log2(columns);
  assert(Number.isInteger(levels) && levels >= 1, `a tree over ${columns} columns`);
  const level = bitsFor(levels);
  const width = lanes * bits;
  const body: string[] = [`wire ${range(columns * width)} maxima_0 = values;`];
  for (let to = 1; to <= levels; to++) {
    const count = (columns / 2 ** to) * lanes;
    const left = `left[i * ${bits} +: ${bits}]`;
    const pairs = columns / 2 ** to;
    body.push(
      `wire ${range(count * bits)} maxima_${to};`,
      'generate',
      `  for (c = 0; c < ${pairs}; c = c + 1) begin : pairs_${to}`,
      `    wire ${range(width)} left = maxima_${to - 1}[2 * c * ${width} +: ${width}];`,
      `    wire ${range(width)} right = maxima_${to - 1}[(2 * c + 1) * ${width} +: ${width}];`,
      `    for (i = 0; i < ${lanes}; i = i + 1) begin : lane`,
      `      assign maxima_${to}[(c * ${lanes} + i) * ${bits} +: ${bits}] =`,
      `        ($signed(${left}) > $signed(right[i * ${bits} +: ${bits}])) ? ${left} : right[i * ${bits} +: ${bits}];`,
      '    end',
      '  end',
      'endgenerate',
    );
  }
  const chosen = Array.from({ length: levels }, (_, of) => {
    const place = of === 0 ? 'at' : `at[${levels - 1}:${of}]`;
    return `(level == ${literal(level, of)}) ? maxima_${of}[${place} * ${width} +: ${width}]`;
  });
  return verilogModule({
    name: 'cross_channel_pool',
    about: [
      `Cross-channel pooling over columns that come at once: for each of ${lanes} lanes the maximum of 2^level`,
      `columns, from column \`at\` on, up to ${columns}. Combinational, nothing is kept.`,
    ],
    ports: [
      {
        direction: 'input',
        name: 'values',
        width: columns * width,
        meaning: `column c, lane i: bits ${bits} (${lanes} c + i) and up, signed`,
      },
      { direction: 'input', name: 'level', width: level, meaning: `0..${levels}` },
      { direction: 'input', name: 'at', width: levels, meaning: 'a multiple of 2^level' },
      { direction: 'output', name: 'out', width, meaning: `lane i: bits ${bits} i and up` },
    ],
    body: ['genvar c, i;', ...body, `assign out = ${chosen.join('\n    : ')}`, `    : maxima_${levels};`],
  });
}
