/**
 * The chain controller in Verilog: moves finished folds out of the array and start values in, and offers vectors to
 * post-processing (docs/machine.md sections 7 and 8).
 *
 * It works one cycle behind the sequencer: what that says in cycle t is registered and acts in t + 1. Column 0 of a fold
 * that is handed over in t is taken in t + 1 and at the array's chain_out in t + 3.
 */

import { commandBits, fieldWires } from '../isa/verilog.ts';
import type { MachineConfig } from '../machine/config.ts';
import { operandRecordBytes } from '../requantise/parameters.ts';
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

export function chainControlVerilog(machine: MachineConfig, shape: ComputeShape): VerilogModule {
  const { columns, depthwise } = machine.peArray;
  const hasStrips = depthwise !== null;
  const { columnCount, laneCount, sumAddress, recordWords } = shape;
  const record = addressBits(shape.parameters);
  const computeWord = commandBits('compute');
  const { postWord } = shape;
  const { handover, openGroups } = shape;
  const isTree = handover > 1;
  const takesTurns = openGroups > 1;
  const levels = Math.log2(handover);
  const slot = bitsFor(openGroups - 1);
  // Columns of two preloads, or a fold's tail.
  const jobs = bitsFor(2 * columns);
  /** Words of as many records as `name` says; it has `width` bits. */
  const recordsOf = (name: string, width: number): string =>
    `(${resized(name, width, record)} * ${literal(record, recordWords)})`;
  const output = (name: string, width?: number, meaning?: string): Port => ({
    direction: 'output',
    name,
    ...(width !== undefined && { width }),
    ...(meaning !== undefined && { meaning }),
  });
  const input = (name: string, width?: number, meaning?: string): Port => ({
    ...output(name, width, meaning),
    direction: 'input',
  });
  return verilogModule({
    name: 'chain_control',
    about: [
      'Chain controller: takes one column a cycle off the chain, for post-processing or for the accumulator',
      'buffer, and shifts start values in at the other end. The last vector of a group waits for the pooling',
      'unit, and with it the chain. A streamed vector is offered likewise.',
      '',
      'Start values come in one element behind the fold that leaves: with them the chain is busy for',
      `${columns + 1} cycles, without for as many as the fold has filters.`,
      ...(isTree
        ? [
            '',
            `Column c is on chain c mod ${handover}. The columns of a group leave together, a group a cycle; with start`,
            'values behind, which come one a cycle, a group in as many cycles as it has columns.',
          ]
        : []),
    ],
    ports: [
      clockPort,
      resetPort,
      input('swap'),
      input('preload'),
      input('preload_two'),
      input('stream_start'),
      input('fetch', undefined, 'records of operands are read'),
      input('offer'),
      ...(hasStrips ? [input('strip_end', undefined, 'with it a strip of a depthwise tile')] : []),
      input('fold_columns', columnCount),
      input('fold_fill'),
      input('fold_last_block'),
      input('fold_last_pixels'),
      input('fold_last_group'),
      input('fold_first'),
      input('fold_lanes', laneCount),
      input('tile', computeWord),
      input('post', postWord),
      input('pool_busy', undefined, 'the pooling unit can take no vector'),
      output('chain_free', undefined, 'a job may begin in this cycle'),
      output('offer_free', undefined, 'a streamed vector may be complete in this cycle'),
      output('stream_end'),
      output('shift', isTree ? handover : undefined, isTree ? "the array's, one a chain" : "the array's"),
      output('from_stream', undefined, 'the vector taken comes past the array'),
      ...(hasStrips
        ? [output('from_strip', undefined, 'it comes from the tree of adders'), output('vector_strip_end')]
        : []),
      output('vector', undefined, 'a vector goes to post-processing'),
      output('vector_first', undefined, 'of its group of maps'),
      output('vector_last'),
      output('vector_last_map', undefined, 'last of its pixels'),
      output('vector_last_pixels', undefined, 'they are the last of their group of filters'),
      output('vector_last_group'),
      output('vector_lanes', laneCount),
      ...(takesTurns ? [output('vector_slot', slot, 'which of the open groups it belongs to')] : []),
      ...(isTree
        ? [
            output('vector_at', levels, 'chain of its first column'),
            output('vector_last_at', levels, 'and of its last'),
            output('vector_level', bitsFor(levels), '2^level columns'),
          ]
        : []),
      output(
        'record_address',
        record,
        isTree ? 'of the parameter record of chain 0, in words' : 'of its parameter record, in words',
      ),
      output('tile_first', undefined, "the pooling unit's counters begin anew behind this cycle"),
      { ...output('settings', postWord, "post-processing of the vector's tile"), reg: true },
      { ...output('tile_out_rows', 16, 'before pooling'), reg: true },
      { ...output('tile_out_columns', 16), reg: true },
      { ...output('signal_store'), reg: true },
      output('sum_write', undefined, 'the column taken goes to the accumulator buffer'),
      output('sum_write_address', sumAddress),
      output('sum_read_address', sumAddress, 'of the start values that `shift` brings in'),
    ],
    body: [
      ...fieldWires(
        'compute',
        'tile',
        [
          'accumulateOut',
          'filters',
          'accumulatorAddress',
          'outRows',
          'outColumns',
          'signalStore',
          ...(hasStrips ? (['depthwise'] as const) : []),
        ],
        'from_',
      ),
      ...fieldWires('postProcess', 'post', ['parameterAddress'], 'from_'),
      ...fieldWires('postProcess', 'settings', takesTurns ? ['ratio', 'interleave'] : ['ratio'], 'now_'),
      ...verilogLines(`
      // The fold on the chain.
      reg ${range(columnCount)} columns_left;
      reg to_sums, fill, last_block, last_pixels, last_group;
      reg ${range(laneCount)} lanes;
      // Cycles of the chain behind its last column, and of start values in front of a first fold.
      reg ${range(jobs)} tail_left, tail, preload_left;${isTree ? '' : `\n      reg ${range(bitsFor(15))} member;`}

      wire draining = columns_left != ${literal(columnCount, 0)};
      `),
      ...(isTree
        ? verilogLines(`
      // Columns that leave in one cycle.
      wire ${range(columnCount)} at_once = to_sums ? ${literal(columnCount, 1)} : ${resized('now_ratio', 5, columnCount)};
      wire last_column = columns_left == at_once;
      wire last_member = 1'b1;
      wire ready = ~pool_busy;
      reg ${range(columnCount)} pace_left;
      wire pacing = pace_left != ${literal(columnCount, 0)};
      wire take = draining & (to_sums | ready) & ~pacing;
      reg ${range(levels)} at;
      assign vector_at = at;
      assign vector_last_at = at + ${levels < columnCount ? `at_once${range(levels)}` : resized('at_once', columnCount, levels)} - ${literal(levels, 1)};
      assign vector_level = ${Array.from({ length: levels }, (_, level) => `(at_once == ${literal(columnCount, 2 ** level)}) ? ${literal(bitsFor(levels), level)} : `).join('')}${literal(bitsFor(levels), levels)};
      `)
        : verilogLines(`
      wire last_column = columns_left == ${literal(columnCount, 1)};
      wire last_member = {1'b0, member} + 5'd1 == now_ratio;
      wire ready = ~last_member | ~pool_busy;
      wire take = draining & (to_sums | ready);
      `)),
      ...(takesTurns
        ? verilogLines(`
      // Whose turn it is among the open groups.
      reg ${range(slot)} turn;
      wire last_turn = (now_interleave == 5'd0) | ({${6 - slot}'d0, turn} + 6'd1 == {1'b0, now_interleave});
      assign vector_slot = turn;
      `)
        : []),
      '',
      ...verilogLines(`
      // A streamed vector that waits to be taken.
      reg offered, offered_last_map, offered_last_pixels, offered_last_group;
      reg ${range(laneCount)} offered_lanes;
      wire offer_take = offered & ready;
      assign offer_free = ~offered | offer_take;
      assign stream_end = offer_take & offered_last_map & offered_last_pixels & offered_last_group;

      wire preloading = preload_left != ${literal(jobs, 0)};
      wire trailing = tail_left != ${literal(jobs, 0)};
      assign chain_free = (~draining | (take & last_column & ~fill)) & (tail_left <= ${literal(jobs, 1)}) & (preload_left <= ${literal(jobs, 1)});

      assign from_stream = offered${hasStrips ? ' & ~from_depthwise' : ''};
      ${hasStrips ? 'assign from_strip = offered & from_depthwise;' : ''}
      ${hasStrips ? 'reg offered_strip_end;' : ''}
      ${hasStrips ? 'assign vector_strip_end = offered_strip_end;' : ''}
      assign vector = (take & ~to_sums) | offer_take;
      assign vector_first = ${isTree ? "1'b1" : "member == 4'd0"};
      assign vector_last = last_member;
      assign vector_last_map = offered ? offered_last_map : last_block & last_column;
      assign vector_last_pixels = offered ? offered_last_pixels : last_pixels;
      assign vector_last_group = offered ? offered_last_group : last_group;
      assign vector_lanes = offered ? offered_lanes : lanes;
      assign tile_first = stream_start | (swap & fold_first);

      always @(posedge clk) begin
        if (swap) begin
          to_sums <= from_accumulate_out;
          fill <= fold_fill;
          last_block <= fold_last_block;
          last_pixels <= fold_last_pixels;
          last_group <= fold_last_group;
          lanes <= fold_lanes;
          tail <= ${literal(jobs, columns + 1)} - ${resized('fold_columns', columnCount, jobs)};
        end
        if (offer) begin
          offered_last_map <= fold_last_block;
          offered_last_pixels <= fold_last_pixels;
          offered_lanes <= fold_lanes;
          offered_last_group <= fold_last_group;
          ${hasStrips ? 'offered_strip_end <= strip_end;' : ''}
        end
        if (tile_first) begin
          settings <= post;
          tile_out_rows <= from_out_rows;
          tile_out_columns <= from_out_columns;
          signal_store <= from_signal_store;
        end
        if (rst) begin
          columns_left <= ${literal(columnCount, 0)};
          tail_left <= ${literal(jobs, 0)};
          preload_left <= ${literal(jobs, 0)};
          offered <= 1'b0;
        end else begin
          if (swap) columns_left <= fold_columns;
          else if (take) columns_left <= columns_left - ${isTree ? 'at_once' : literal(columnCount, 1)};
          if (take & last_column & fill) tail_left <= tail${isTree ? ` + ${resized('at_once', columnCount, jobs)} - ${literal(jobs, 1)}` : ''};
          else if (trailing) tail_left <= tail_left - ${literal(jobs, 1)};
          if (preload) preload_left <= preload_two ? ${literal(jobs, 2 * columns)} : ${literal(jobs, columns)};
          else if (preloading) preload_left <= preload_left - ${literal(jobs, 1)};
          if (offer) offered <= 1'b1;
          else if (offer_take) offered <= 1'b0;
        end
      `),
      ...(isTree
        ? []
        : [
            "  if (tile_first) member <= 4'd0;",
            `  else if (vector${takesTurns ? ' & last_turn' : ''}) member <= last_member ? 4'd0 : member + 4'd1;`,
          ]),
      ...(takesTurns
        ? [
            `  if (tile_first) turn <= ${literal(slot, 0)};`,
            `  else if (vector) turn <= last_turn ? ${literal(slot, 0)} : turn + ${literal(slot, 1)};`,
          ]
        : []),
      'end',
      ...(isTree
        ? verilogLines(`
      always @(posedge clk)
        if (rst) begin
          at <= ${literal(levels, 0)};
          pace_left <= ${literal(columnCount, 0)};
        end else begin
          if (take) at <= last_column ? ${literal(levels, 0)} : vector_last_at + ${literal(levels, 1)};
          if (take & fill & ~last_column) pace_left <= at_once - ${literal(columnCount, 1)};
          else if (pacing) pace_left <= pace_left - ${literal(columnCount, 1)};
        end
      `)
        : []),
      '',
      ...verilogLines(`
      // The element behind a column that was taken follows a cycle later.
      reg shift_q, fill_q;
      always @(posedge clk) begin
        shift_q <= ~rst & ((take & (fill | ~last_column)) | (tail_left > ${literal(jobs, 1)})${isTree ? ' | pacing' : ''});
        fill_q <= fill;
      end${isTree ? '' : '\n      assign shift = shift_q | preloading;'}

      // Parameter records: one a filter, again for every fold of pixels.
      reg ${range(record)} group_record, record_q;
      ${
        isTree
          ? `wire ${range(record)} next_record = record_q + ${recordsOf('at_once', columnCount)};\n      assign record_address = record_q - ${recordsOf('at', levels)};`
          : `wire ${range(record)} next_record = record_q + ${literal(record, recordWords)};\n      assign record_address = record_q;`
      }
      always @(posedge clk)
        if (tile_first) begin
          group_record <= ${resized('from_parameter_address[23:2]', 22, record).replace(/^(\w+)\[23:2\]\[(\d+):0\]$/, (_, name, high) => `${name}[${Number(high) + 2}:2]`)};
          record_q <= ${resized('from_parameter_address[23:2]', 22, record).replace(/^(\w+)\[23:2\]\[(\d+):0\]$/, (_, name, high) => `${name}[${Number(high) + 2}:2]`)};
        end else if (fetch) begin
          // The filters' records are behind those of the operands.
          group_record <= record_q + ${literal(record, operandRecordBytes / 4)};
          record_q <= record_q + ${literal(record, operandRecordBytes / 4)};
        end else if (vector) begin
          if (vector_last_map & vector_last_pixels) group_record <= next_record;
          record_q <= (vector_last_map & ~vector_last_pixels) ? group_record : next_record;
        end

      // Partial sums: a vector a filter and fold, in the order in which they leave the array, and come in.
      reg ${range(sumAddress)} write_vector, read_vector;
      assign sum_write = take & to_sums;
      assign sum_write_address = write_vector;
      assign sum_read_address = read_vector;
      reg [16:0] fill_filters, fill_left;
      reg ${range(columnCount)} fill_column;
      wire fill_step = preloading | (shift_q & fill_q);
      wire fill_end = fill_column == ${literal(columnCount, columns - 1)};
      always @(posedge clk) begin
        if (swap & fold_first) write_vector <= ${resized('from_accumulator_address', 24, sumAddress)};
        else if (sum_write) write_vector <= write_vector + ${literal(sumAddress, 1)};
        if (preload) begin
          read_vector <= ${resized('from_accumulator_address', 24, sumAddress)};
          fill_filters <= from_filters;
          fill_left <= from_filters;
          fill_column <= ${literal(columnCount, 0)};
        end else if (fill_step) begin
          if (${resized('fill_column', columnCount, 17)} < fill_left) read_vector <= read_vector + ${literal(sumAddress, 1)};
          fill_column <= fill_end ? ${literal(columnCount, 0)} : fill_column + ${literal(columnCount, 1)};
          if (fill_end) fill_left <= (fill_left <= 17'd${columns}) ? fill_filters : fill_left - 17'd${columns};
        end
      end
      `),
      ...(isTree
        ? verilogLines(`
      // The chains of the columns that left, or the one whose start value comes in.
      reg ${range(handover)} left_q;
      wire ${range(handover)} leave = {${Array.from({ length: handover }, (_, chain) => handover - 1 - chain)
        .map((chain) =>
          chain === 0 ? "1'b1" : `at_once >= ${literal(columnCount, 2 ** Math.ceil(Math.log2(chain + 1)))}`,
        )
        .join(', ')}};
      always @(posedge clk) left_q <= leave << at;
      wire ${range(handover)} filled = ${literal(handover, 1)} << fill_column${range(levels)};
      assign shift = fill_step ? filled : left_q & {${handover}{shift_q}};
      `)
        : []),
      '',
      ...verilogLines(`
      wire unused = &{tile, post, settings, from_accumulator_address, from_parameter_address${isTree ? ', now_ratio' : ''}};
      `),
    ],
  });
}
