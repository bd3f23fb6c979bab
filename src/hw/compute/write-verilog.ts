/**
 * The write sequencer in Verilog: which values of a vector go where. Without pooling a vector takes one cycle; with it one
 * for each row it has pixels of, and for each pooled row that such a row belongs to (docs/machine.md section 8). It counts
 * rows, windows and addresses along, and never divides.
 *
 * It works in the chain controller's cycle; the values follow with the latency of post-processing.
 */

import { fieldWires } from '../isa/verilog.ts';
import type { MachineConfig } from '../machine/config.ts';
import { sideBits } from '../spatial-pool/average-verilog.ts';
import { distanceBits } from '../spatial-pool/verilog.ts';
import {
  bitsFor,
  clockPort,
  literal,
  type Port,
  range,
  resetPort,
  type VerilogModule,
  verilogLines,
  verilogModule,
} from '../verilog.ts';
import { resized } from './sequencer-verilog.ts';
import { addressBits, type ComputeShape } from './shape.ts';

/** A wire of the word that tells the write stage what to do with a vector. */
export interface WriteField {
  readonly name: string;
  /** Left out for a single bit. */
  readonly width?: number;
  readonly meaning: string;
}

/** What the write stage needs to know of a cycle. */
export function writeFields(shape: ComputeShape): readonly WriteField[] {
  const { laneCount, pooledLanes, line } = shape;
  const common: WriteField[] = [
    { name: 'write', meaning: 'values are written, or merged' },
    { name: 'fresh', meaning: 'first cycle of a vector' },
    { name: 'done', meaning: 'last cycle of a tile that signals' },
    { name: 'count', width: laneCount, meaning: 'lanes' },
    { name: 'out_address', width: addressBits(shape.output), meaning: 'of the first value, in values' },
  ];
  if (line === undefined) return common;
  return [
    ...common,
    { name: 'pooled', meaning: 'through the pooling unit' },
    { name: 'unsigned_values', meaning: 'what the line buffer holds' },
    { name: 'skip', width: laneCount, meaning: 'lanes of earlier rows' },
    { name: 'window', width: 6, meaning: 'columns' },
    { name: 'stride', width: 8, meaning: 'columns' },
    { name: 'distance', width: distanceBits, meaning: 'to the last column of the first window' },
    { name: 'windows', width: bitsFor(pooledLanes), meaning: 'inside the pooled row' },
    { name: 'left_edge', meaning: 'of the map' },
    { name: 'right_edge', meaning: 'of the map' },
    { name: 'first_row', meaning: 'of the windows' },
    { name: 'last_row', meaning: 'of the windows' },
    ...(shape.windowSum === undefined ? [] : averageFields(shape)),
    { name: 'line_address', width: addressBits(line), meaning: 'of the first window, in values' },
  ];
}

/** What averages need besides. */
function averageFields({ value }: ComputeShape): readonly WriteField[] {
  return [
    { name: 'averaging', meaning: 'sums, not maxima' },
    { name: 'window_taps', width: 2 * sideBits, meaning: 'of a whole window' },
    {
      name: 'row_taps',
      width: sideBits,
      meaning: 'rows of the window that are inside the map, up to this one',
    },
    {
      name: 'column',
      width: sideBits,
      meaning: "of the segment's first lane in the map, if it is near the edge",
    },
    { name: 'count_padding', meaning: 'taps outside of the map count' },
    { name: 'padding', width: value - 1, meaning: 'as so much' },
  ];
}

export function writeSequencerVerilog(machine: MachineConfig, shape: ComputeShape): VerilogModule {
  const { laneCount } = shape;
  const { postWord } = shape;
  const input = (name: string, width?: number, meaning?: string): Port => ({
    direction: 'input',
    name,
    ...(width !== undefined && { width }),
    ...(meaning !== undefined && { meaning }),
  });
  return verilogModule({
    name: 'write_sequencer',
    about: [
      'Write sequencer: for each vector that leaves cross-channel pooling, where its values belong.',
      ...(shape.line === undefined
        ? []
        : [
            'A vector that is pooled is cut into segments, one a row of the map; a segment is merged into one',
            'pooled row a cycle. `busy` lasts while more cycles are to come.',
            '',
            'Windows of rows: `open` is the first whose last row is not past, `newest` the last that has begun.',
            'Of columns likewise; both are counted down to their next change.',
          ]),
    ],
    ports: [
      clockPort,
      resetPort,
      input('tile_first', undefined, 'the next vector is the first of a tile'),
      input('vector', undefined, 'one is taken that leaves with this cycle'),
      input('last_map', undefined, 'of its pixels'),
      input('last_pixels', undefined, 'they are the last of their group of filters'),
      input('last_group'),
      input('lanes', laneCount),
      input('settings', postWord, "its tile's"),
      input('tile_out_rows', 16),
      input('tile_out_columns', 16),
      input('signal_store'),
      ...(machine.peArray.depthwise === null
        ? []
        : [
            input('in_strip', undefined, 'the vector is a row of a strip of columns'),
            input('strip_end', undefined, 'the last one'),
          ]),
      { direction: 'output', name: 'busy' },
      ...writeFields(shape).map(
        ({ name, width, meaning }): Port => ({
          direction: 'output',
          name,
          ...(width !== undefined && { width }),
          meaning,
        }),
      ),
    ],
    body: shape.line === undefined ? plainBody(machine, shape) : poolBody(machine, shape),
  });
}

/** Bytes of the output buffer as a number of values. */
function firstValue(shape: ComputeShape): string {
  const out = addressBits(shape.output);
  const drop = Math.log2(shape.stored / 8);
  return narrow('set_output_address', 24, drop, out);
}

/** Bits [drop, drop + to) of a vector of `width` bits, filled up with zeros. */
function narrow(name: string, width: number, drop: number, to: number): string {
  const has = Math.min(to, width - drop);
  const bits = `${name}[${drop + has - 1}:${drop}]`;
  return has === to ? bits : `{${to - has}'d0, ${bits}}`;
}

function plainBody(machine: MachineConfig, shape: ComputeShape): string[] {
  const out = addressBits(shape.output);
  const hasStrips = machine.peArray.depthwise !== null;
  return [
    ...fieldWires('postProcess', 'settings', ['outRows', 'outColumns', 'outputAddress'], 'set_'),
    ...verilogLines(`
    reg is_new;
    reg ${range(out)} group_out, map_out, pixel${hasStrips ? ', strip' : ''};
    wire ${range(out)} out_start = ${firstValue(shape)};
    wire ${range(out)} now_group = is_new ? out_start : group_out;
    wire ${range(out)} now_map = is_new ? out_start : map_out;
    wire ${range(out)} now_pixel = is_new ? ${literal(out, 0)} : pixel;
    wire [31:0] plane = {16'd0, set_out_rows} * {16'd0, set_out_columns};
    wire ${range(out)} next_map = now_map + ${narrow('plane', 32, 0, out)};
    ${hasStrips ? `wire ${range(out)} now_strip = is_new ? ${literal(out, 0)} : strip;` : ''}
    ${hasStrips ? `wire ${range(out)} next_strip = now_strip + ${resized('lanes', shape.laneCount, out)};` : ''}
    assign busy = 1'b0;
    assign write = vector;
    assign fresh = vector;
    assign done = vector & last_map & last_pixels & last_group & signal_store;
    assign count = lanes;
    assign out_address = now_map + now_pixel;
    always @(posedge clk) begin
      is_new <= ~rst & (tile_first | (is_new & ~vector));
      if (vector) begin
        group_out <= (last_map & last_pixels) ? next_map : now_group;
        map_out <= (last_map & ~last_pixels) ? now_group : next_map;
        pixel <= ~last_map ? now_pixel : last_pixels ? ${literal(out, 0)} : ${hasStrips ? `in_strip ? (strip_end ? next_strip : now_pixel + ${resized('set_out_columns', 16, out)}) : ` : ''}now_pixel + ${literal(out, machine.peArray.rows)};
        ${hasStrips ? `strip <= last_pixels ? ${literal(out, 0)} : strip_end ? next_strip : now_strip;` : ''}
      end
    end
    wire unused = &{settings, tile_out_rows, tile_out_columns, set_output_address, plane};
    `),
  ];
}

/** A register of the walk over rows and columns. */
interface WalkField {
  readonly name: string;
  readonly bits: number;
  /** At the tile's first pixel. */
  readonly start: string;
  /** Behind the segment. */
  readonly next: string;
}

function poolBody(machine: MachineConfig, shape: ComputeShape): string[] {
  const { rows: lanes } = machine.peArray;
  const window = machine.postProcessing.spatialPool!.maximumWindow;
  const { laneCount, pooledLanes } = shape;
  const out = addressBits(shape.output);
  const line = addressBits(shape.line!);
  const D = distanceBits;
  // Distances, their sums with strides, and the lanes' number.
  const wide = bitsFor(256 * (Math.max(lanes, window) + 2));
  const W = (name: string, bits: number): string => resized(name, bits, wide);
  const averages = shape.windowSum !== undefined;
  const hasStrips = machine.peArray.depthwise !== null;
  // A row of the map, signed.
  const topBits = 18;
  const walk: readonly WalkField[] = [
    { name: 'row', bits: 16, start: "16'd0", next: "row_end ? cur_row + 16'd1 : cur_row" },
    { name: 'column', bits: 16, start: "16'd0", next: "row_end ? 16'd0 : column_behind" },
    { name: 'open', bits: 16, start: "16'd0", next: "closes ? cur_open + 16'd1 : cur_open" },
    {
      name: 'open_left',
      bits: D,
      start: 'first_open_left',
      next: "row_end ? (closes ? stride_rows_1 : cur_open_left - 8'd1) : cur_open_left",
    },
    {
      name: 'newest',
      bits: 16,
      start: "{9'd0, first_newest}",
      next: "opens ? cur_newest + 16'd1 : cur_newest",
    },
    {
      name: 'newest_left',
      bits: D,
      start: 'first_newest_left',
      next: "row_end ? (opens ? stride_rows_1 : cur_newest_left - 8'd1) : cur_newest_left",
    },
    {
      name: 'open_out',
      bits: out,
      start: literal(out, 0),
      next: `closes ? cur_open_out + ${resized('set_out_columns', 16, out)} : cur_open_out`,
    },
    {
      name: 'open_slot',
      bits: 6,
      start: "6'd0",
      next: "closes ? (last_slot ? 6'd0 : cur_open_slot + 6'd1) : cur_open_slot",
    },
    {
      name: 'open_line',
      bits: line,
      start: literal(line, 0),
      next: `closes ? (last_slot ? ${literal(line, 0)} : cur_open_line + ${resized('set_out_columns', 16, line)}) : cur_open_line`,
    },
    ...(averages
      ? [
          {
            name: 'open_top',
            bits: topBits,
            start: `-{${topBits - 6}'d0, set_pad_top}`,
            next: `closes ? cur_open_top + {${topBits - 8}'d0, now_stride_rows} : cur_open_top`,
          },
        ]
      : []),
    { name: 'first_column', bits: 16, start: "16'd0", next: "row_end ? 16'd0 : cur_first_column + ended" },
    {
      name: 'distance',
      bits: D,
      start: 'first_distance',
      next: `row_end ? first_distance : distance_behind${range(D)}`,
    },
    {
      name: 'pixel',
      bits: out,
      start: literal(out, 0),
      next: `${hasStrips ? `in_strip ? (strip_end ? next_strip : cur_pixel + ${resized('set_out_columns', 16, out)}) : ` : ''}cur_pixel + ${literal(out, lanes)}`,
    },
    // Where the strip's first row begins.
    ...(hasStrips
      ? [{ name: 'strip', bits: out, start: literal(out, 0), next: 'strip_end ? next_strip : cur_strip' }]
      : []),
  ];
  const ladder: string[] = [];
  // Multiples of the strides, by constant factors.
  for (let k = 1; k <= lanes; k++)
    ladder.push(
      `wire ${range(wide)} columns_${k} = ${k === 1 ? '' : `columns_${k - 1} + `}${W('now_stride_columns', 8)};`,
    );
  for (let k = 1; k <= window; k++)
    ladder.push(
      `wire ${range(wide)} rows_${k} = ${k === 1 ? '' : `rows_${k - 1} + `}${W('now_stride_rows', 8)};`,
    );
  // Windows that began above the first row.
  ladder.push(`wire [6:0] begun_0 = 7'd0;`, `wire ${range(wide)} row_next_0 = rows_1;`);
  for (let k = 1; k < window; k++) {
    ladder.push(
      `wire is_begun_${k} = rows_${k} <= ${W('set_pad_top', 6)};`,
      `wire [6:0] begun_${k} = is_begun_${k} ? 7'd${k} : begun_${k - 1};`,
      `wire ${range(wide)} row_next_${k} = is_begun_${k} ? rows_${k + 1} : row_next_${k - 1};`,
    );
  }
  // Pooled rows that are open at once.
  ladder.push(`wire [5:0] slots_1 = 6'd0;`);
  for (let k = 1; k < window; k++) {
    ladder.push(
      `wire [5:0] slots_${k + 1} = (rows_${k} < ${W('now_window_rows', 6)}) ? 6'd${k} : slots_${k};`,
    );
  }
  // Windows that end inside the segment.
  ladder.push(`wire ${range(wide)} past_0 = ${W('cur_distance', D)};`, `wire [15:0] ended_0 = 16'd0;`);
  for (let k = 0; k < lanes; k++) {
    const place = k === 0 ? W('cur_distance', D) : `(${W('cur_distance', D)} + columns_${k})`;
    ladder.push(
      `wire ends_${k} = ${place} < ${W('segment', laneCount)};`,
      `wire ${range(wide)} past_${k + 1} = ends_${k} ? ${W('cur_distance', D)} + columns_${k + 1} : past_${k};`,
      `wire [15:0] ended_${k + 1} = ends_${k} ? 16'd${k + 1} : ended_${k};`,
    );
  }
  return [
    ...fieldWires(
      'postProcess',
      'settings',
      [
        'unsigned',
        'poolKind',
        'windowRows',
        'windowColumns',
        'strideRows',
        'strideColumns',
        'padTop',
        'padLeft',
        'outRows',
        'outColumns',
        'outputAddress',
        ...(averages ? (['zeroPoint', 'countPadding'] as const) : []),
      ],
      'new_',
    ),
    ...(averages
      ? verilogLines(`
    reg kept_averaging, kept_count_padding;
    reg ${range(shape.value - 1)} kept_zero_point;
    assign averaging = busy_q ? kept_averaging : (new_pool_kind == 2'd2);
    assign count_padding = busy_q ? kept_count_padding : new_count_padding;
    wire ${range(shape.value - 1)} zero_point = busy_q ? kept_zero_point : new_zero_point${range(shape.value - 1)};
    assign padding = zero_point ^ {~set_unsigned, ${shape.value - 2}'d0};
    always @(posedge clk) begin
      kept_averaging <= averaging;
      kept_count_padding <= count_padding;
      kept_zero_point <= zero_point;
    end
    assign window_taps = {6'd0, now_window_rows} * {6'd0, now_window_columns};
    reg ${range(topBits)} walk_top;
    wire ${range(topBits)} top = further ? walk_top : cur_open_top;
    // A window that begins above the map has the rows from 0 on.
    wire [15:0] rows_so_far = cur_row + 16'd1 - (top[${topBits - 1}] ? 16'd0 : top[15:0]);
    assign row_taps = rows_so_far[5:0];
    assign column = (cur_column > 16'd63) ? 6'd63 : cur_column[5:0];
    always @(posedge clk) walk_top <= top + {${topBits - 8}'d0, now_stride_rows};
    wire unused_average = &{new_zero_point, rows_so_far, top};
    `)
      : []),
    ...verilogLines(`
    // The chain may hand the next tile over while a vector is still being merged: its settings are kept.
    reg busy_q;
    assign busy = busy_q;
    reg kept_unsigned, kept_pooled;
    reg [5:0] kept_window_rows, kept_window_columns, kept_pad_top, kept_pad_left;
    reg [7:0] kept_stride_rows, kept_stride_columns;
    reg [15:0] kept_out_rows, kept_out_columns, kept_tile_rows, kept_tile_columns;
    reg kept_last_map, kept_last_pixels, kept_signal;
    wire set_unsigned = busy_q ? kept_unsigned : new_unsigned;
    wire is_pooled = busy_q ? kept_pooled : (new_pool_kind != 2'd0);
    wire [5:0] now_window_rows = busy_q ? kept_window_rows : new_window_rows;
    wire [5:0] now_window_columns = busy_q ? kept_window_columns : new_window_columns;
    wire [5:0] set_pad_top = busy_q ? kept_pad_top : new_pad_top;
    wire [5:0] set_pad_left = busy_q ? kept_pad_left : new_pad_left;
    wire [7:0] now_stride_rows = busy_q ? kept_stride_rows : new_stride_rows;
    wire [7:0] now_stride_columns = busy_q ? kept_stride_columns : new_stride_columns;
    wire [15:0] set_out_rows = busy_q ? kept_out_rows : new_out_rows;
    wire [15:0] set_out_columns = busy_q ? kept_out_columns : new_out_columns;
    wire [15:0] map_rows = busy_q ? kept_tile_rows : tile_out_rows;
    wire [15:0] map_columns = busy_q ? kept_tile_columns : tile_out_columns;
    wire now_last_map = busy_q ? kept_last_map : last_map;
    wire now_last_pixels = busy_q ? kept_last_pixels : last_pixels;
    wire signals = busy_q ? kept_signal : last_map & last_pixels & last_group & signal_store;
    wire [23:0] set_output_address = new_output_address;
    always @(posedge clk) begin
      kept_unsigned <= set_unsigned;
      kept_pooled <= is_pooled;
      kept_window_rows <= now_window_rows;
      kept_window_columns <= now_window_columns;
      kept_pad_top <= set_pad_top;
      kept_pad_left <= set_pad_left;
      kept_stride_rows <= now_stride_rows;
      kept_stride_columns <= now_stride_columns;
      kept_out_rows <= set_out_rows;
      kept_out_columns <= set_out_columns;
      kept_tile_rows <= map_rows;
      kept_tile_columns <= map_columns;
      kept_last_map <= now_last_map;
      kept_last_pixels <= now_last_pixels;
      kept_signal <= signals;
    end
    wire [7:0] stride_rows_1 = now_stride_rows - 8'd1;
    wire active = vector | busy_q;

    // The walk: \`base_*\` is where the present vectors begin, \`walk_*\` where this one has come to.
    reg is_new;
    `),
    ...walk.flatMap(({ name, bits, start }) => [
      `reg ${range(bits)} base_${name}, walk_${name};`,
      `wire ${range(bits)} cur_${name} = busy_q ? walk_${name} : is_new ? ${start} : base_${name};`,
    ]),
    ...ladder,
    ...verilogLines(`
    wire ${range(wide)} first_newest_wide = row_next_${window - 1} - ${W('set_pad_top', 6)} - ${literal(wide, 1)};
    wire [6:0] first_newest = begun_${window - 1};
    wire [7:0] first_newest_left = first_newest_wide[7:0];
    wire [7:0] first_open_left = {2'd0, now_window_rows} - {2'd0, set_pad_top} - 8'd1;
    wire [7:0] first_distance = {2'd0, now_window_columns} - {2'd0, set_pad_left} - 8'd1;
    wire [5:0] slot_last = slots_${window};

    // The segment.
    reg ${range(laneCount)} walk_skip, walk_left;
    wire ${range(laneCount)} left = busy_q ? walk_left : lanes;
    wire [15:0] row_left = map_columns - cur_column;
    wire fits_row = ${resized('left', laneCount, 16)} <= row_left;
    wire ${range(laneCount)} segment = (is_pooled & ~fits_row) ? row_left${range(laneCount)} : left;
    wire segment_last = ~is_pooled | fits_row;
    wire [15:0] column_behind = cur_column + ${resized('segment', laneCount, 16)};
    wire row_end = column_behind == map_columns;
    wire [15:0] ended = ended_${lanes};
    ${hasStrips ? `wire ${range(out)} next_strip = cur_strip + ${resized('lanes', laneCount, out)};` : ''}
    wire ${range(wide)} distance_behind = past_${lanes} - ${W('segment', laneCount)};
    wire closes = row_end & (cur_open_left == 8'd0);
    wire opens = row_end & (cur_newest_left == 8'd0);
    wire last_slot = cur_open_slot == slot_last;

    // Its pooled rows, from \`open\` on.
    reg [5:0] walk_pooled, walk_slot;
    reg ${range(out)} walk_out;
    reg ${range(line)} walk_line;
    reg walk_further;
    wire further = busy_q & walk_further;
    wire [5:0] pooled_row = further ? walk_pooled : 6'd0;
    wire [5:0] slot = further ? walk_slot : cur_open_slot;
    wire ${range(out)} row_out = further ? walk_out : cur_open_out;
    wire ${range(line)} row_line = further ? walk_line : cur_open_line;
    wire [15:0] newest_row = (cur_newest >= set_out_rows) ? set_out_rows - 16'd1 : cur_newest;
    wire has_row = cur_open <= newest_row;
    wire [15:0] this_row = cur_open + {10'd0, pooled_row};
    wire rows_end = ~is_pooled | ~has_row | (this_row == newest_row);
    wire vector_end = active & rows_end & segment_last;

    always @(posedge clk) begin
      busy_q <= ~rst & active & ~vector_end;
      is_new <= ~rst & (tile_first | (is_new & ~vector));
      walk_further <= ~rows_end;
      walk_pooled <= pooled_row + 6'd1;
      walk_slot <= (slot == slot_last) ? 6'd0 : slot + 6'd1;
      walk_out <= row_out + ${resized('set_out_columns', 16, out)};
      walk_line <= (slot == slot_last) ? ${literal(line, 0)} : row_line + ${resized('set_out_columns', 16, line)};
      walk_left <= rows_end ? left - segment : left;
      walk_skip <= rows_end ? skip + segment : skip;
    end
    `),
    ...walk.map(({ name, bits, next }) => `wire ${range(bits)} behind_${name} = ${next};`),
    'always @(posedge clk) begin',
    ...walk.map(({ name }) => `  walk_${name} <= rows_end ? behind_${name} : cur_${name};`),
    '  if (vector_end & now_last_map) begin',
    ...walk.map(({ name, start }) => `    base_${name} <= now_last_pixels ? ${start} : behind_${name};`),
    '  end else if (vector) begin',
    ...walk.map(({ name }) => `    base_${name} <= cur_${name};`),
    '  end',
    'end',
    '',
    ...verilogLines(`
    // Maps: a plane of the output and one of the line buffer each.
    reg ${range(out)} group_out, map_out;
    reg ${range(line)} map_line;
    wire begins = is_new & ~busy_q;
    wire ${range(out)} out_start = ${firstValue(shape)};
    wire ${range(out)} now_group = begins ? out_start : group_out;
    wire ${range(out)} now_map = begins ? out_start : map_out;
    wire ${range(line)} now_line = begins ? ${literal(line, 0)} : map_line;
    wire [31:0] plane = {16'd0, set_out_rows} * {16'd0, set_out_columns};
    wire [31:0] line_plane = ({26'd0, slot_last} + 32'd1) * {16'd0, set_out_columns};
    wire ${range(out)} next_map = now_map + ${narrow('plane', 32, 0, out)};
    always @(posedge clk)
      if (vector_end) begin
        group_out <= (now_last_map & now_last_pixels) ? next_map : now_group;
        map_out <= (now_last_map & ~now_last_pixels) ? now_group : next_map;
        map_line <= now_last_map ? ${literal(line, 0)} : now_line + ${narrow('line_plane', 32, 0, line)};
      end else if (vector) begin
        group_out <= now_group;
        map_out <= now_map;
        map_line <= now_line;
      end

    assign write = active & (~is_pooled | has_row);
    assign fresh = vector;
    assign done = vector_end & signals;
    assign count = segment;
    assign skip = busy_q ? walk_skip : ${literal(laneCount, 0)};
    assign out_address = now_map + (is_pooled ? row_out + ${resized('cur_first_column', 16, out)} : cur_pixel);
    assign pooled = is_pooled;
    assign unsigned_values = set_unsigned;
    assign window = now_window_columns;
    assign stride = now_stride_columns;
    assign distance = cur_distance;
    wire [15:0] columns_left = set_out_columns - cur_first_column;
    assign windows = (cur_first_column >= set_out_columns) ? ${literal(bitsFor(pooledLanes), 0)} : (columns_left > 16'd${pooledLanes}) ? ${literal(bitsFor(pooledLanes), pooledLanes)} : columns_left${range(bitsFor(pooledLanes))};
    assign left_edge = cur_column == 16'd0;
    assign right_edge = row_end;
    assign first_row = (cur_row == 16'd0) | ((this_row == cur_newest) & (cur_newest_left == stride_rows_1));
    assign last_row = ((pooled_row == 6'd0) & (cur_open_left == 8'd0)) | (cur_row + 16'd1 == map_rows);
    wire ${range(line)} line_window = now_line + row_line + ${resized('cur_first_column', 16, line)};
    assign line_address = ${averages ? `averaging ? {line_window${range(line - 1)}, 1'b0} : line_window` : 'line_window'};

    wire unused = &{settings, plane, line_plane, set_output_address, first_newest_wide, distance_behind};
    `),
  ];
}
