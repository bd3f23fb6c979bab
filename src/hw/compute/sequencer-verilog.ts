/**
 * The tile sequencer in Verilog: takes `postProcess` and `compute` commands from the queue's head, waits for tokens, and
 * walks a tile's folds, channels and taps (docs/machine.md section 7). What it says about a cycle is about that cycle's
 * operand read; the data follows with the fixed latencies of the units behind.
 */

import { formats } from '../isa/formats.ts';
import { commandBits, fieldSlice, fieldWires } from '../isa/verilog.ts';
import type { MachineConfig } from '../machine/config.ts';
import { depthwiseLanes } from '../pe-array/depthwise.ts';
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
import { columnAddress, positionBits } from './lane-verilog.ts';
import { addressBits, type ComputeShape } from './shape.ts';
import { operandBits } from './stream-verilog.ts';

/** Bits of the token counters: no queue lets more commands than this pass. */
const tokenBits = 12;

/** The low `bits` bits of the vector `name` of `width` bits, brought to `bits`. */
export function resized(name: string, width: number, bits: number): string {
  if (bits === width) return name;
  return bits < width ? `${name}${range(bits)}` : `{${bits - width}'d0, ${name}}`;
}

export function tileSequencerVerilog(machine: MachineConfig, shape: ComputeShape): VerilogModule {
  const { columns, rows: lanes } = machine.peArray;
  const { startCycles } = machine.sequencer;
  const { feature, columnCount, laneCount } = shape;
  const address = feature.address;
  const shift = Math.log2(feature.bits / 8);
  const weightAddress = addressBits(shape.weights);
  const weightShift = Math.log2(shape.storedWeight / 8);
  const computeWord = commandBits('compute');
  const { postWord } = shape;
  const commandWord = Math.max(computeWord, postWord);
  const start = bitsFor(startCycles - 1);
  const P = positionBits;
  const { depthwise } = machine.peArray;
  const kernel = depthwise?.kernel ?? 0;
  const stripLanes = [1, 2].map((stride) =>
    depthwise === null ? 0 : depthwiseLanes(machine.peArray, kernel, kernel, stride),
  );
  const out = (name: string, width?: number, meaning?: string): Port => ({
    direction: 'output',
    name,
    ...(width !== undefined && { width }),
    ...(meaning !== undefined && { meaning }),
  });
  const input = (name: string, width?: number, meaning?: string): Port => ({
    ...out(name, width, meaning),
    direction: 'input',
  });
  /** Byte addresses and pitches as numbers of values. */
  const inValues = (field: string, bits: number, to: number, drop: number): string =>
    resized(drop === 0 ? field : `${field}[${bits - 1}:${drop}]`, bits - drop, to).replace(
      /^(\w+)\[(\d+):(\d+)\]\[(\d+):0\]$/,
      (_, name, __, low, high) => `${name}[${Number(high) + Number(low)}:${low}]`,
    );
  /** A choice between depthwise mode and the others, where the machine has it. */
  const strip = (usual: string, inStrip: string): string =>
    depthwise === null ? usual : `(tile_depthwise ? ${inStrip} : (${usual}))`;
  const constants = (bits: number): string =>
    Array.from({ length: lanes }, (_, index) => literal(bits, lanes - 1 - index)).join(', ');
  const depthwiseLines =
    (): string => `// Depthwise: a channel in strips of output columns, a strip row by row of the input.
      wire ${range(laneCount)} strip_lanes = (tile_stride_columns == 8'd2) ? ${literal(laneCount, stripLanes[1]!)} : ${literal(laneCount, stripLanes[0]!)};
      wire ${range(P)} strip_step = (tile_stride_columns == 8'd2) ? ${literal(P, 2 * stripLanes[1]!)} : ${literal(P, stripLanes[0]!)};
      reg [15:0] columns_left;
      reg ${range(P)} strip_row, strip_column;
      reg ${range(address)} row_address;
      // Reads until the next vector is complete, and vectors of the strip.
      reg [7:0] rows_wait;
      reg [15:0] vectors_left;
      assign depthwise_read = fire & tile_depthwise;
      wire row_offer = depthwise_read & (rows_wait == 8'd1);
      assign strip_end = row_offer & (vectors_left == 16'd1);
      wire last_strip = columns_left <= ${resized('strip_lanes', laneCount, 16)};
      wire channel_end = strip_end & last_strip;
      wire ${range(laneCount)} strip_width = last_strip ? columns_left${range(laneCount)} : strip_lanes;
      wire ${range(address)} strip_base = group_base + row_address + ${columnAddress('strip_column', address)};
      wire ${range(lanes * P)} lane_numbers = {${constants(P)}};
      wire ${range(lanes * address)} lane_offsets = {${constants(address)}};
      always @(posedge clk) begin
        if (setup | strip_end) begin
          strip_row <= first_row;
          row_address <= first_row_product${range(address)};
          rows_wait <= 8'd${kernel};
          vectors_left <= tile_out_rows;
        end else if (depthwise_read) begin
          strip_row <= strip_row + ${literal(P, 1)};
          row_address <= row_address + row_pitch;
          rows_wait <= row_offer ? tile_stride_rows : rows_wait - 8'd1;
          if (row_offer) vectors_left <= vectors_left - 16'd1;
        end
        if (setup | channel_end) begin
          strip_column <= first_column;
          columns_left <= tile_out_columns;
        end else if (strip_end) begin
          strip_column <= strip_column + strip_step;
          columns_left <= columns_left - ${resized('strip_lanes', laneCount, 16)};
        end
      end
`;
  return verilogModule({
    name: 'tile_sequencer',
    about: [
      'Tile sequencer: one tile after the other, fold by fold, step by step. Order of a tile: groups, pixel',
      `folds of ${lanes} lanes, blocks of ${columns} filters; of a fold: channels, kernel rows, kernel columns.`,
      'A stream: pixel folds, maps; of a sum: operands. The records of its operands are fetched first.',
      ...(depthwise === null
        ? []
        : [
            'A depthwise tile: channels, strips of columns, input rows; a vector with each that completes one.',
          ]),
      'Rows of the input may lie in a ring: place (ring row + row) modulo its rows.',
      '',
      'A cycle with `read` asks the feature buffer for one step; `read_done` ends it. `swap` hands a finished',
      'fold to the chain, in the same cycle as the first step of the next fold if that can be.',
    ],
    ports: [
      clockPort,
      resetPort,
      input('command_valid'),
      input('command', commandWord, "the queue's head"),
      out('command_take'),
      out('resting', undefined, 'no tile is in progress'),
      input('from_load', undefined, 'a token arrives'),
      input('from_store'),
      out('to_load', undefined, 'a token is given'),
      out('read'),
      out('wanted', lanes, 'lanes whose tap lies inside the map'),
      out('addresses', lanes * address),
      input('read_done'),
      out('weight_address', weightAddress),
      out('step', undefined, 'the array takes a step'),
      out('first', undefined, 'a fold begins'),
      out('accumulate_in'),
      out('unsigned_features'),
      out('zero_point', 17),
      out('subtract', undefined, 'the zero point counts: not for a stream that passes unchanged'),
      input('chain_free', undefined, 'a job of the chain may begin in this cycle'),
      out('swap'),
      out('preload', undefined, 'start values of the first fold come in from this cycle on'),
      out('preload_two', undefined, 'and behind them those of the second'),
      out('stream_start'),
      out('fetch', undefined, 'records of operands are read from this cycle on, one a cycle'),
      out('operand', operandBits, 'of a sum: the one that is read, or whose record is'),
      out('is_sum'),
      out('stream_read', undefined, 'a streamed vector was read'),
      out('offer', undefined, 'and is complete with this cycle'),
      input('offer_free'),
      input('stream_end', undefined, 'the last vector of a stream was taken'),
      ...(depthwise === null
        ? []
        : [
            out('depthwise_read', undefined, 'a row of a strip was read'),
            out('strip_end', undefined, 'the vector offered is the last of its strip'),
          ]),
      out('fold_columns', columnCount, 'of the fold handed over: its filters'),
      out('fold_fill', undefined, 'start values come in behind it'),
      out('fold_last_block', undefined, 'it is the last of its pixels'),
      out('fold_last_pixels', undefined, 'they are the last of their group'),
      out('fold_last_group'),
      out('fold_first', undefined, 'first of the tile'),
      out('fold_lanes', laneCount, 'its pixels; for a vector offered likewise'),
      out('tile', computeWord, 'the command in progress'),
      out('post', postWord, 'its post-processing'),
    ],
    body: [
      ...verilogLines(`
      wire is_post = command_valid & (command[3:0] == 4'd${formats.postProcess.opcode});
      wire is_compute = command_valid & (command[3:0] == 4'd${formats.compute.opcode});
      wire waits_load = command${fieldSlice('compute', 'waitLoad')};
      wire waits_store = command${fieldSlice('compute', 'waitStore')};

      reg ${range(computeWord)} tile_q;
      reg ${range(postWord)} post_q;
      assign tile = tile_q;
      assign post = post_q;
      `),
      ...fieldWires(
        'compute',
        'tile_q',
        [
          'signalLoad',
          'stream',
          'accumulateIn',
          'unsigned',
          'zeroPoint',
          'operands',
          'operandPitch',
          'repeatRows',
          'repeatColumns',
          'featureAddress',
          'rowPitch',
          'planePitch',
          'rows',
          'columns',
          'groups',
          'channels',
          'filters',
          'kernelRows',
          'kernelColumns',
          'strideRows',
          'strideColumns',
          'dilationRows',
          'dilationColumns',
          'padTop',
          'padLeft',
          'outRows',
          'outColumns',
          'weightAddress',
          'ringRows',
          'ringRow',
          ...(depthwise === null ? [] : (['depthwise'] as const)),
        ],
        'tile_',
      ),
      ...verilogLines(`
      assign accumulate_in = tile_accumulate_in;
      assign unsigned_features = tile_unsigned;
      assign zero_point = tile_zero_point;
      // Vectors that come past the accumulators, under the rule of a stream.
      wire passes = ${depthwise === null ? 'tile_stream' : 'tile_stream | tile_depthwise'};
      assign subtract = ~tile_stream | post_q${fieldSlice('postProcess', 'requantise')};

      // Tokens: counted here, and good in the cycle in which they arrive.
      reg ${range(tokenBits)} load_tokens, store_tokens;
      wire has_load = from_load | (load_tokens != ${literal(tokenBits, 0)});
      wire has_store = from_store | (store_tokens != ${literal(tokenBits, 0)});

      // One of these is set while a tile is in progress.
      reg starting, preloading, fetching, running;
      reg all_issued;

      // The finished fold that waits for the chain.
      reg pending, pending_tile_end;
      assign swap = pending & chain_free;
      wire tile_end = (swap & pending_tile_end) | stream_end;
      assign to_load = tile_end & tile_signal_load;

      assign resting = ~(starting | preloading | fetching | running);
      wire idle = resting | tile_end;
      wire accept = idle & is_compute & (~waits_load | has_load) & (~waits_store | has_store);
      assign command_take = accept | (idle & is_post);
      wire takes_load = accept & waits_load;
      wire takes_store = accept & waits_store;

      always @(posedge clk) begin
        if (accept) tile_q <= command${range(computeWord)};
        if (idle & is_post) post_q <= command${range(postWord)};
        if (rst) begin
          load_tokens <= ${literal(tokenBits, 0)};
          store_tokens <= ${literal(tokenBits, 0)};
        end else begin
          load_tokens <= load_tokens + {${tokenBits - 1}'d0, from_load} - {${tokenBits - 1}'d0, takes_load};
          store_tokens <= store_tokens + {${tokenBits - 1}'d0, from_store} - {${tokenBits - 1}'d0, takes_store};
        end
      end

      // Start: the first cycle behind acceptance sets the counters up; steps begin after ${startCycles}.
      reg setup;
      reg ${range(start)} start_left;
      wire ready = starting & (start_left == ${literal(start, 0)});
      wire go = ready & (chain_free | ~(passes | tile_accumulate_in));
      assign stream_start = go & passes;
      assign preload = go & tile_accumulate_in & ~passes;
      reg ${range(columnCount)} preload_left;
      wire preloaded = preloading & (preload_left == ${literal(columnCount, 0)});
      // A sum fetches its operands' records behind the last vector of the tile before, one a cycle.
      assign is_sum = tile_operands != ${literal(operandBits, 0)};
      reg ${range(operandBits)} operand_q, fetch_left;
      wire fetch_start = stream_start & is_sum;
      wire fetched = fetching & (fetch_left == ${literal(operandBits, 0)});
      assign fetch = fetching & ~fetched;
      wire last_operand = ~is_sum | (operand_q + ${literal(operandBits, 1)} == tile_operands);
      assign operand = operand_q;
      wire begins = (go & ~preload & ~fetch_start) | preloaded | fetched;
      wire on = (running | begins) & ~all_issued;
      wire may_step = on & ~passes & (~pending | swap);
      wire may_stream = on & passes & offer_free;
      assign read = may_step | may_stream;
      wire fire = read & read_done;
      assign step = fire & ~passes;
      assign stream_read = fire & tile_stream;
      wire map_offer = stream_read & last_operand;
      assign offer = ${depthwise === null ? 'map_offer' : 'map_offer | row_offer'};

      wire steps_end;
      wire maps_end;
      wire fold_end = step & steps_end;
      wire pixels_end = (fold_end & last_block) | (map_offer & maps_end);
      wire group_end = (pixels_end & at_end)${depthwise === null ? '' : ' | channel_end'};
      wire issued = group_end & last_group;

      always @(posedge clk) begin
        setup <= accept & ~rst;
        if (accept) start_left <= ${literal(start, startCycles - 1)};
        else if (starting & ~ready) start_left <= start_left - ${literal(start, 1)};
        if (fetch_start) fetch_left <= tile_operands;
        else if (fetching & ~fetched) fetch_left <= fetch_left - ${literal(operandBits, 1)};
        if (setup | map_offer | (fetch & (fetch_left == ${literal(operandBits, 1)}))) operand_q <= ${literal(operandBits, 0)};
        else if (fetch | stream_read) operand_q <= operand_q + ${literal(operandBits, 1)};
        if (preload) preload_left <= ${literal(columnCount, columns - 1)};
        else if (preloading & ~preloaded) preload_left <= preload_left - ${literal(columnCount, 1)};
        if (rst) begin
          starting <= 1'b0;
          preloading <= 1'b0;
          fetching <= 1'b0;
          running <= 1'b0;
          pending <= 1'b0;
        end else begin
          if (fetch_start) fetching <= 1'b1;
          else if (fetched) fetching <= 1'b0;
          if (accept) starting <= 1'b1;
          else if (go) starting <= 1'b0;
          if (preload) preloading <= 1'b1;
          else if (preloaded) preloading <= 1'b0;
          if (tile_end) running <= 1'b0;
          else if (begins) running <= 1'b1;
          if (fold_end) pending <= 1'b1;
          else if (swap) pending <= 1'b0;
        end
        if (setup) all_issued <= 1'b0;
        else if (issued) all_issued <= 1'b1;
      end

      // Lanes.
      wire ${range(lanes * P)} lane_rows, lane_columns;
      wire ${range(lanes * address)} lane_addresses;
      wire ${range(lanes)} lane_valid;
      wire ${range(laneCount)} lane_count;
      wire at_end, next_at_end;
      wire ${range(address)} row_pitch = ${inValues('tile_row_pitch', 20, address, shift)};
      wire ${range(address)} operand_pitch = ${inValues('tile_operand_pitch', 24, address, shift)};
      wire ${range(address)} plane_pitch = ${inValues('tile_plane_pitch', 24, address, shift)};
      wire ${range(P)} first_row = -{tile_pad_top[16], tile_pad_top};
      wire ${range(P)} first_column = -{tile_pad_left[16], tile_pad_left};
      // In a ring row 0 lies at \`ring_row\`, and what is beyond its end at its start.
      wire ${range(P)} ring_row = {${P - 16}'d0, tile_ring_row};
      wire ${range(P)} first_place = first_row + ring_row;
      wire ${range(P + address)} first_row_product = {{${address}{first_place[${P - 1}]}}, first_place} * {${P}'d0, row_pitch};
      wire ${range(16 + address)} ring_product = {${address}'d0, tile_ring_rows} * {16'd0, row_pitch};
      wire ${range(address)} ring_span = ring_product${range(address)};
      wire in_ring = tile_ring_rows != 16'd0;
      wire ${range(8 + address)} row_stride_product = {${address}'d0, tile_stride_rows} * {8'd0, row_pitch};
      wire ${range(8 + address)} row_dilation_product = {${address}'d0, tile_dilation_rows} * {8'd0, row_pitch};
      lane_positions positions (
        .clk(clk),
        .advance(setup | pixels_end),
        .restart(setup | at_end),
        .out_rows(tile_out_rows),
        .last_column(tile_out_columns - 16'd1),
        .last_row_repeat(tile_repeat_rows - 7'd1),
        .last_column_repeat(tile_repeat_columns - 7'd1),
        .stride_rows(tile_stride_rows),
        .stride_columns(tile_stride_columns),
        .first_row(first_row),
        .first_column(first_column),
        .first_row_address(first_row_product${range(address)}),
        .row_stride(row_stride_product${range(address)}),
        .rows(lane_rows),
        .columns(lane_columns),
        .addresses(lane_addresses),
        .valid(lane_valid),
        .lane_count(lane_count),
        .at_end(at_end),
        .next_at_end(next_at_end)
      );

      ${depthwise === null ? '' : depthwiseLines()}
      // Taps and channels: places in the input, relative to a lane's.
      reg [7:0] tap_rows_left, tap_columns_left;
      reg [16:0] channels_left;
      reg ${range(address)} group_base, plane_base, row_base, tap_base;
      reg [15:0] tap_row, tap_column;
      wire tap_columns_end = tap_columns_left == 8'd1;
      wire tap_rows_end = tap_rows_left == 8'd1;
      wire channels_end = channels_left == 17'd1;
      assign steps_end = tap_columns_end & tap_rows_end & channels_end;
      wire ${range(address)} next_plane = plane_base + plane_pitch;
      wire ${range(address)} next_row = row_base + row_dilation_product${range(address)};
      wire ${range(address)} fold_base = group_end ? next_plane : group_base;

      // Filters: blocks of a fold, or the maps of a stream.
      reg [16:0] filters_left;
      wire last_block = filters_left <= 17'd${columns};
      assign maps_end = filters_left == 17'd1;
      reg [16:0] groups_left;
      wire last_group = tile_stream | (groups_left == 17'd1);

      always @(posedge clk) begin
        if (setup | (step & tap_columns_end)) begin
          tap_columns_left <= tile_kernel_columns;
          tap_column <= 16'd0;
        end else if (step) begin
          tap_columns_left <= tap_columns_left - 8'd1;
          tap_column <= tap_column + {8'd0, tile_dilation_columns};
        end
        if (setup | (step & tap_columns_end & tap_rows_end)) begin
          tap_rows_left <= tile_kernel_rows;
          tap_row <= 16'd0;
        end else if (step & tap_columns_end) begin
          tap_rows_left <= tap_rows_left - 8'd1;
          tap_row <= tap_row + {8'd0, tile_dilation_rows};
        end
        if (setup | fold_end) channels_left <= tile_channels;
        else if (step & tap_columns_end & tap_rows_end) channels_left <= channels_left - 17'd1;

        if (setup) begin
          group_base <= ${inValues('tile_feature_address', 24, address, shift)};
          plane_base <= ${inValues('tile_feature_address', 24, address, shift)};
          row_base <= ${inValues('tile_feature_address', 24, address, shift)};
          tap_base <= ${inValues('tile_feature_address', 24, address, shift)};
        end else if (fold_end${depthwise === null ? '' : ' | channel_end'}) begin
          group_base <= fold_base;
          plane_base <= fold_base;
          row_base <= fold_base;
          tap_base <= fold_base;
        end else if (map_offer) begin
          plane_base <= maps_end ? group_base : next_plane;
          tap_base <= maps_end ? group_base : next_plane;
        end else if (stream_read) begin
          tap_base <= tap_base + operand_pitch;
        end else if (step) begin
          if (~tap_columns_end) tap_base <= tap_base + ${resized('tile_dilation_columns', 8, address)};
          else if (~tap_rows_end) begin
            row_base <= next_row;
            tap_base <= next_row;
          end else begin
            plane_base <= next_plane;
            row_base <= next_plane;
            tap_base <= next_plane;
          end
        end

        if (setup | pixels_end) filters_left <= tile_filters;
        else if (fold_end) filters_left <= filters_left - 17'd${columns};
        else if (map_offer) filters_left <= filters_left - 17'd1;
        if (setup) groups_left <= tile_groups;
        else if (group_end) groups_left <= groups_left - 17'd1;
      end

      genvar i;
      generate
        for (i = 0; i < ${lanes}; i = i + 1) begin : lane
          // A negative place is a large one.
          wire ${range(P)} row = ${strip(`lane_rows[i * ${P} +: ${P}]`, 'strip_row')} + ${strip(`{${P - 16}'d0, tap_row}`, `${P}'d0`)};
          wire ${range(P)} column = ${strip(`lane_columns[i * ${P} +: ${P}]`, 'strip_column')} + ${strip(`{${P - 16}'d0, tap_column}`, `lane_numbers[i * ${P} +: ${P}]`)};
          wire ${range(P)} place = row + ring_row;
          wire wraps = in_ring & (place >= {${P - 16}'d0, tile_ring_rows});
          wire row_inside = row < {${P - 16}'d0, tile_rows};
          wire column_inside = column < {${P - 16}'d0, tile_columns};
          assign wanted[i] = ${strip('lane_valid[i]', "1'b1")} & row_inside & column_inside;
          assign addresses[i * ${address} +: ${address}] = ${strip(`lane_addresses[i * ${address} +: ${address}]`, `lane_offsets[i * ${address} +: ${address}]`)} + ${strip('tap_base', 'strip_base')} - (ring_span & {${address}{wraps}});
        end
      endgenerate

      // Weights: [group][channel][tap][filter]; a step further is \`filters\` further.
      reg ${range(weightAddress)} group_weights, block_weights, weights;
      reg ${range(weightAddress)} behind_group;
      reg first_block;
      wire ${range(weightAddress)} next_weights = weights + ${resized('tile_filters', 17, weightAddress)};
      wire ${range(weightAddress)} next_group = first_block ? next_weights : behind_group;
      wire ${range(weightAddress)} fold_weights = group_end ? next_group : last_block ? group_weights : block_weights + ${literal(weightAddress, columns)};
      assign weight_address = weights;
      always @(posedge clk) begin
        if (setup) begin
          group_weights <= ${inValues('tile_weight_address', 24, weightAddress, weightShift)};
          block_weights <= ${inValues('tile_weight_address', 24, weightAddress, weightShift)};
          weights <= ${inValues('tile_weight_address', 24, weightAddress, weightShift)};
          first_block <= 1'b1;
        end else if (fold_end) begin
          if (group_end) group_weights <= next_group;
          behind_group <= next_group;
          block_weights <= fold_weights;
          weights <= fold_weights;
          first_block <= last_block;
        end else if (step) begin
          weights <= next_weights;
        end${
          depthwise === null
            ? ''
            : ` else if (channel_end) begin
          weights <= weights + ${literal(weightAddress, kernel ** 2)};
        end`
        }
      end

      // A fold begins in the first cycle of its first read, which may be one of several: the start values
      // are in the shadows in this cycle only.
      reg at_fold_start;
      assign first = at_fold_start & may_step;
      always @(posedge clk)
        if (setup | fold_end) at_fold_start <= 1'b1;
        else if (may_step) at_fold_start <= 1'b0;

      // The fold that is handed over. Start values come in behind it if at least two more folds follow.
      wire one_block = tile_filters <= 17'd${columns};
      wire next_is_last =
        (~last_block & (filters_left <= 17'd${2 * columns}) & at_end & last_group)
        | (last_block & one_block & next_at_end & (at_end ? groups_left == 17'd2 : last_group));
      wire tile_last = last_block & at_end & last_group;
      assign preload_two = ~tile_last;
      reg ${range(columnCount)} pending_columns;
      reg ${range(laneCount)} pending_lanes;
      reg pending_fill, pending_last_block, pending_last_pixels, pending_last_group, pending_first, first_fold;
      always @(posedge clk) begin
        if (setup | fold_end) first_fold <= setup;
        if (fold_end) begin
          pending_columns <= last_block ? ${resized('filters_left', 17, columnCount)} : ${literal(columnCount, columns)};
          pending_fill <= tile_accumulate_in & ~tile_last & ~next_is_last;
          pending_last_block <= last_block;
          pending_last_pixels <= at_end;
          pending_last_group <= last_group;
          pending_first <= first_fold;
          pending_lanes <= lane_count;
          pending_tile_end <= tile_last;
        end
      end
      assign fold_columns = pending_columns;
      assign fold_fill = pending_fill;
      assign fold_last_block = ${strip('tile_stream ? maps_end : pending_last_block', "1'b1")};
      assign fold_last_pixels = ${strip('tile_stream ? at_end : pending_last_pixels', 'channel_end')};
      assign fold_last_group = ${strip('tile_stream | pending_last_group', 'last_group')};
      assign fold_first = pending_first;
      assign fold_lanes = ${strip('tile_stream ? lane_count : pending_lanes', 'strip_width')};

      wire unused = &{first_row_product, ring_product, first_place, row_stride_product, row_dilation_product, tile_row_pitch, tile_plane_pitch, tile_operand_pitch,
        tile_feature_address, tile_weight_address, command};
      `),
    ],
  });
}
