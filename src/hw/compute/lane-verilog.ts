/**
 * Where the lanes of a fold are: `lane_positions` walks the output pixels of a tile in raster order, R at once, without
 * dividing. Each lane's pixel follows from its neighbour's; input row, input column and address are counted along.
 */

import { featureShape } from '../buffers/feature-verilog.ts';
import type { MachineConfig } from '../machine/config.ts';
import {
  bitsFor,
  clockPort,
  laneRange,
  type Port,
  range,
  signExtend,
  type VerilogModule,
  verilogLines,
  verilogModule,
} from '../verilog.ts';

/** Bits of an input row or column, signed: the padding's 17 and a carry. */
export const positionBits = 18;

interface CursorField {
  readonly name: string;
  readonly bits: number;
  /** At the first pixel. */
  readonly start: string;
  /** Behind a pixel; `i` is the lane. */
  readonly next: string;
}

export function lanePositionsVerilog(machine: MachineConfig): VerilogModule {
  const { rows: lanes } = machine.peArray;
  const { address } = featureShape(machine);
  const count = bitsFor(lanes);
  /** In front of the lane that is written. */
  let lane = 0;
  const at = (name: string): string => `${name}_${lane}`;
  const fieldsOf = (): readonly CursorField[] => {
    const end = `row_end_${lane}`;
    const rowStep = `row_step_${lane}`;
    const columnStep = `column_step_${lane}`;
    return [
      { name: 'out_row', bits: 16, start: "16'd0", next: `${at('out_row')} + {15'd0, ${end}}` },
      { name: 'out_column', bits: 16, start: "16'd0", next: `${end} ? 16'd0 : ${at('out_column')} + 16'd1` },
      {
        name: 'row_phase',
        bits: 7,
        start: "7'd0",
        next: `${end} ? (${rowStep} ? 7'd0 : ${at('row_phase')} + 7'd1) : ${at('row_phase')}`,
      },
      {
        name: 'column_phase',
        bits: 7,
        start: "7'd0",
        next: `(${end} | ${columnStep}) ? 7'd0 : ${at('column_phase')} + 7'd1`,
      },
      {
        name: 'in_row',
        bits: positionBits,
        start: 'first_row',
        next: `(${end} & ${rowStep}) ? ${at('in_row')} + {${positionBits - 8}'d0, stride_rows} : ${at('in_row')}`,
      },
      {
        name: 'in_column',
        bits: positionBits,
        start: 'first_column',
        next: `${end} ? first_column : ${columnStep} ? ${at('in_column')} + {${positionBits - 8}'d0, stride_columns} : ${at('in_column')}`,
      },
      {
        name: 'row_address',
        bits: address,
        start: 'first_row_address',
        next: `(${end} & ${rowStep}) ? ${at('row_address')} + row_stride : ${at('row_address')}`,
      },
    ];
  };
  const fields = fieldsOf();
  const laneLines = (index: number): string[] => {
    lane = index;
    return [
      '',
      `wire row_end_${index} = ${at('out_column')} == last_column;`,
      `wire row_step_${index} = ${at('row_phase')} == last_row_repeat;`,
      `wire column_step_${index} = ${at('column_phase')} == last_column_repeat;`,
      ...fieldsOf().map(({ name, bits, next }) => `wire ${range(bits)} ${name}_${index + 1} = ${next};`),
      `assign valid_next[${index}] = ${at('out_row')} < out_rows;`,
      'always @(posedge clk)',
      '  if (advance) begin',
      `    rows${laneRange(index, positionBits)} <= ${at('in_row')};`,
      `    columns${laneRange(index, positionBits)} <= ${at('in_column')};`,
      `    addresses${laneRange(index, address)} <= ${at('row_address')} + ${columnAddress(at('in_column'), address)};`,
      '  end',
    ];
  };
  const input = (name: string, width: number, meaning?: string): Port => ({
    direction: 'input',
    name,
    width,
    ...(meaning !== undefined && { meaning }),
  });
  return verilogModule({
    name: 'lane_positions',
    about: [
      `Pixels of the ${lanes} lanes, in raster order over the tile's output. \`advance\` brings the next fold's;`,
      'with `restart` it begins again at the first pixel. Lane i + 1 is one column behind lane i, or at',
      'the start of the next row. `cursor_*` is the first pixel behind the lanes.',
    ],
    ports: [
      clockPort,
      { direction: 'input', name: 'advance' },
      { direction: 'input', name: 'restart' },
      input('out_rows', 16),
      input('last_column', 16, 'of the output'),
      input('last_row_repeat', 7, 'output rows that share an input row, less 1'),
      input('last_column_repeat', 7),
      input('stride_rows', 8),
      input('stride_columns', 8),
      input('first_row', positionBits, 'input row of output row 0, signed'),
      input('first_column', positionBits),
      input('first_row_address', address, 'of it, in values'),
      input('row_stride', address, 'values from one output row to the next in the input'),
      {
        direction: 'output',
        name: 'rows',
        width: lanes * positionBits,
        reg: true,
        meaning: 'input row of lane i',
      },
      { direction: 'output', name: 'columns', width: lanes * positionBits, reg: true },
      { direction: 'output', name: 'addresses', width: lanes * address, reg: true },
      { direction: 'output', name: 'valid', width: lanes, reg: true, meaning: 'lanes that have a pixel' },
      { direction: 'output', name: 'lane_count', width: count, reg: true, meaning: 'how many have' },
      { direction: 'output', name: 'at_end', meaning: 'no pixels behind these lanes' },
      { direction: 'output', name: 'next_at_end', meaning: 'none behind those of the next `advance`' },
    ],
    body: [
      ...fields.map(({ name, bits }) => `reg ${range(bits)} cursor_${name};`),
      `wire ${range(lanes)} valid_next;`,
      "// The pixel of lane 0, and lane by lane the next one's.",
      ...fields.map(
        ({ name, bits, start }) => `wire ${range(bits)} ${name}_0 = restart ? ${start} : cursor_${name};`,
      ),
      ...Array.from({ length: lanes }, (_, index) => laneLines(index)).flat(),
      ...verilogLines(`
      // Lanes without a pixel are the last ones.
      reg ${range(count)} lane_count_next;
      integer l;
      always @* begin
        lane_count_next = ${count}'d0;
        for (l = 0; l < ${lanes}; l = l + 1)
          lane_count_next = lane_count_next + {${count === 1 ? '' : `${count - 1}'d0, `}valid_next[l]};
      end
      `),
      'always @(posedge clk)',
      '  if (advance) begin',
      ...fields.map((field) => `    cursor_${field.name} <= ${field.name}_${lanes};`),
      '    valid <= valid_next;',
      '    lane_count <= lane_count_next;',
      '  end',
      'assign at_end = cursor_out_row >= out_rows;',
      `assign next_at_end = out_row_${lanes} >= out_rows;`,
    ],
  });
}

/** An input column in the bits of an address, whose higher bits come round. */
export function columnAddress(column: string, address: number): string {
  return address <= positionBits ? `${column}${range(address)}` : signExtend(column, positionBits, address);
}
