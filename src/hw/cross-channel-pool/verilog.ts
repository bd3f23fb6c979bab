/**
 * The cross-channel pooling (CCP) unit in Verilog: the one that machines have, and variants of it whose cost can be compared.
 */
import { assert } from '../../core/diagnostics.ts';
import type { MachineConfig } from '../machine/config.ts';
import {
  bitsFor,
  type CountedModule,
  clockPort,
  range,
  type VerilogModule,
  verilogModule,
} from '../verilog.ts';

/** A way of taking maxima over channels. */
export type CrossChannelForm =
  /** Over channels that come one after the other: a register a lane. */
  | {
      readonly kind: 'running';
      /** Values a cycle. */
      readonly lanes: number;
      /** Bits of a value, signed. */
      readonly bits: number;
      /** Maxima kept open a lane: vectors of so many pixel groups may come in turn. */
      readonly depth: number;
    }
  /** Over `ratio` neighbouring lanes that hold channels of one pixel: combinational. */
  | { readonly kind: 'tree'; readonly lanes: number; readonly bits: number; readonly ratio: number };

/** Bits of the unit's values: activations, signed or not, as signed numbers. */
export function crossChannelBits({ peArray }: MachineConfig): number {
  return peArray.activationBits + 1;
}

/** The machine's unit; none for a machine without one. */
export function crossChannelPoolModules(machine: MachineConfig): readonly CountedModule[] {
  return machine.postProcessing.crossChannelPool === null
    ? []
    : [{ ...crossChannelPoolVerilog(machine), count: 1 }];
}

/** The machine's unit: running maxima of one value a lane, behind the requantiser. */
export function crossChannelPoolVerilog(machine: MachineConfig): VerilogModule {
  return crossChannelVerilog({
    kind: 'running',
    lanes: machine.peArray.rows,
    bits: crossChannelBits(machine),
    depth: 1,
  });
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

function tree({ lanes, bits, ratio }: Extract<CrossChannelForm, { kind: 'tree' }>): VerilogModule {
  const levels = Math.log2(ratio);
  assert(Number.isInteger(levels) && levels >= 1 && lanes % ratio === 0, `${lanes} lanes by ${ratio}`);
  const body: string[] = [];
  for (let level = 1; level <= levels; level++) {
    const from = level === 1 ? 'values' : `level_${level - 1}`;
    const to = level === levels ? 'out' : `level_${level}`;
    const count = lanes / 2 ** level;
    const left = `${from}[2 * i * ${bits} +: ${bits}]`;
    const right = `${from}[(2 * i + 1) * ${bits} +: ${bits}]`;
    if (to !== 'out') body.push(`wire ${range(count * bits)} ${to};`);
    body.push(
      'generate',
      `  for (i = 0; i < ${count}; i = i + 1) begin : maxima_${level}`,
      `    assign ${to}[i * ${bits} +: ${bits}] = ($signed(${left}) > $signed(${right}))`,
      `      ? ${left} : ${right};`,
      '  end',
      'endgenerate',
    );
  }
  return verilogModule({
    name: 'cross_channel_pool',
    about: [
      `Cross-channel pooling over neighbours: of ${lanes} lanes that hold channels of ${lanes / ratio} pixel(s), every`,
      `${ratio} become their maximum. Combinational, nothing is kept.`,
    ],
    ports: [
      {
        direction: 'input',
        name: 'values',
        width: lanes * bits,
        meaning: `lane i: bits ${bits} i and up, signed`,
      },
      {
        direction: 'output',
        name: 'out',
        width: (lanes / ratio) * bits,
        meaning: `maximum of lanes ${ratio} j and up: bits ${bits} j and up`,
      },
    ],
    body: ['genvar i;', ...body],
  });
}
