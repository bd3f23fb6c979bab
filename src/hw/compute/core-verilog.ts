/**
 * The compute side in Verilog: command queue, tile sequencer, buffers, array, post-processing and write-back, connected.
 *
 * Three clocks of reasoning, all the same wire: the sequencer's cycle t reads operands; the chain controller acts on it in
 * t + 1; the value of a vector taken in cycle c is at chain_out in c + 2, behind requantiser and table in c + 6, and
 * written at the end of that cycle. Everything a later stage must know travels along in registers.
 */

import { featureBufferModules } from '../buffers/feature-verilog.ts';
import { wideBufferModules, wideShape } from '../buffers/wide-verilog.ts';
import { crossChannelForm, crossChannelPoolModules } from '../cross-channel-pool/verilog.ts';
import { formats } from '../isa/formats.ts';
import { commandBits, fieldSlice, fieldWires } from '../isa/verilog.ts';
import type { MachineConfig } from '../machine/config.ts';
import { accumulatorBytes } from '../pe-array/config.ts';
import { peArrayModules, peArrayWidths } from '../pe-array/verilog.ts';
import { operandMultiplierBits, usesWideRecords } from '../requantise/parameters.ts';
import { lookupTableModules, tableWordAddressBits } from '../requantise/table-verilog.ts';
import {
  requantiseInputBits,
  requantiseModules,
  requantisers,
  streamedBits,
  valueBits,
} from '../requantise/verilog.ts';
import { averageVerilog, sideBits } from '../spatial-pool/average-verilog.ts';
import { distanceBits, spatialPoolVerilog } from '../spatial-pool/verilog.ts';
import {
  bitsFor,
  type CountedModule,
  clockPort,
  literal,
  type Port,
  range,
  resetPort,
  signExtend,
  type VerilogModule,
  verilogLines,
  verilogModule,
} from '../verilog.ts';
import { chainControlVerilog } from './chain-verilog.ts';
import { lanePositionsVerilog } from './lane-verilog.ts';
import { tileSequencerVerilog } from './sequencer-verilog.ts';
import { addressBits, type ComputeShape, computeShape } from './shape.ts';
import { operandBits, streamSumsVerilog } from './stream-verilog.ts';
import { writeFields, writeSequencerVerilog } from './write-verilog.ts';

/** Cycles from a vector's take to its values in front of cross-channel pooling, without spare stages. */
const takeToValues = 6;

/** Cycles from a vector's take to its sums. */
const takeToSums = 2;

/** More tiles than the deepest pipeline holds: one takes three cycles at least. */
const tilesInFlightBits = 5;

/** Every module of the compute side, the top one first. Throws an `InputError` for a machine that the Verilog cannot express. */
export function computeModules(machine: MachineConfig): readonly CountedModule[] {
  const shape = computeShape(machine);
  const once = (module: VerilogModule): CountedModule => ({ ...module, count: 1 });
  const { spatialPool } = machine.postProcessing;
  return [
    once(computeCoreVerilog(machine, shape)),
    ...commandQueueModules(machine),
    once(tileSequencerVerilog(machine, shape)),
    once(lanePositionsVerilog(machine)),
    once(chainControlVerilog(machine, shape)),
    once(writeSequencerVerilog(machine, shape)),
    ...featureBufferModules(machine),
    ...wideBufferModules(shape.weights),
    ...wideBufferModules(shape.parameters),
    once(sumBufferVerilog(machine, shape)),
    once(featureLanesVerilog(shape)),
    once(streamSumsVerilog(machine)),
    ...peArrayModules(machine),
    ...requantiseModules(machine),
    ...lookupTableModules(machine),
    ...crossChannelPoolModules(machine),
    ...(spatialPool === null
      ? []
      : [
          once(
            spatialPoolVerilog({
              kind: 'maximum',
              lanes: shape.rows,
              window: spatialPool.maximumWindow,
              value: shape.value,
              stored: shape.stored,
            }),
          ),
          ...averageModules(machine, shape),
          ...wideBufferModules(shape.line!),
        ]),
    ...wideBufferModules(shape.output),
  ];
}

/** Sums of windows, and the division behind each. */
function averageModules(machine: MachineConfig, shape: ComputeShape): CountedModule[] {
  const { requantise, spatialPool } = machine.postProcessing;
  const { rows, pooledLanes, windowSum } = shape;
  if (windowSum === undefined) return [];
  const window = spatialPool!.maximumWindow;
  return [
    {
      ...spatialPoolVerilog({ kind: 'sum', lanes: rows, window, value: windowSum, stored: windowSum }),
      count: 1,
    },
    {
      ...averageVerilog({
        bits: machine.peArray.activationBits,
        sum: windowSum,
        window,
        rounding: requantise.rounding,
      }),
      count: pooledLanes,
    },
  ];
}

/** The queue in front of the unit: first in, first out, the oldest command in view. */
function commandQueueModules(machine: MachineConfig): readonly CountedModule[] {
  const depth = machine.sequencer.queueDepth;
  const word = Math.max(commandBits('compute'), commandBits('postProcess'));
  const place = bitsFor(depth - 1);
  const count = bitsFor(depth);
  const next = (name: string): string =>
    2 ** place === depth
      ? `${name} + ${literal(place, 1)}`
      : `(${name} == ${literal(place, depth - 1)}) ? ${literal(place, 0)} : ${name} + ${literal(place, 1)}`;
  const queue = verilogModule({
    name: 'command_queue',
    about: [
      `Command queue of the compute unit: ${depth} commands, first in, first out; the oldest is in view.`,
      'A command that is pushed can be taken from the next cycle on.',
    ],
    ports: [
      clockPort,
      resetPort,
      { direction: 'input', name: 'push' },
      { direction: 'input', name: 'command', width: word },
      { direction: 'output', name: 'full' },
      { direction: 'input', name: 'take' },
      { direction: 'output', name: 'valid' },
      { direction: 'output', name: 'head', width: word },
    ],
    body: verilogLines(`
    reg ${range(place)} first, behind;
    reg ${range(count)} held;
    // A place that is given up in this cycle counts.
    assign full = (held == ${literal(count, depth)}) & ~take;
    assign valid = held != ${literal(count, 0)};
    wire accepts = push & ~full;
    command_memory memory (
      .clk(clk),
      .read_address(first),
      .read_data(head),
      .write(accepts),
      .write_address(behind),
      .write_data(command)
    );
    always @(posedge clk)
      if (rst) begin
        first <= ${literal(place, 0)};
        behind <= ${literal(place, 0)};
        held <= ${literal(count, 0)};
      end else begin
        if (accepts) behind <= ${next('behind')};
        if (take) first <= ${next('first')};
        if (accepts & ~take) held <= held + ${literal(count, 1)};
        else if (take & ~accepts) held <= held - ${literal(count, 1)};
      end
    `),
  });
  const memory = verilogModule({
    name: 'command_memory',
    about: ["The queue's commands. Read without a clock: in silicon a register file."],
    memoryBits: depth * word,
    ports: [
      clockPort,
      { direction: 'input', name: 'read_address', width: place },
      { direction: 'output', name: 'read_data', width: word },
      { direction: 'input', name: 'write' },
      { direction: 'input', name: 'write_address', width: place },
      { direction: 'input', name: 'write_data', width: word },
    ],
    body: verilogLines(`
    reg ${range(word)} commands [0:${depth - 1}];
    assign read_data = commands[read_address];
    always @(posedge clk)
      if (write) commands[write_address] <= write_data;
    `),
  });
  return [
    { ...queue, count: 1 },
    { ...memory, count: 1 },
  ];
}

/** The accumulator buffer: a vector of R sums a word. */
function sumBufferVerilog(
  machine: MachineConfig,
  { rows, sumVectors, sumAddress }: ComputeShape,
): VerilogModule {
  const width = rows * machine.peArray.accumulatorBits;
  // A narrow array comes back for a sum in the very cycle in which it is written; so does a tile that starts at once
  // behind one of a single fold with one or two filters.
  const isShort = machine.peArray.columns <= 2 || machine.sequencer.startCycles <= 2;
  return verilogModule({
    name: 'accumulator_buffer',
    about: [
      `Accumulator buffer: ${sumVectors} vectors of ${rows} partial sums (${accumulatorBytes(machine.peArray.accumulatorBits)} bytes each in the machine's account).`,
      ...(isShort ? ['A vector read in the cycle in which it is written comes out new.'] : []),
    ],
    memoryBits: sumVectors * width,
    ports: [
      clockPort,
      { direction: 'input', name: 'read_address', width: sumAddress },
      { direction: 'output', name: 'read_data', width, reg: true, meaning: 'a cycle later' },
      { direction: 'input', name: 'write' },
      { direction: 'input', name: 'write_address', width: sumAddress },
      { direction: 'input', name: 'write_data', width },
    ],
    body: verilogLines(`
    reg ${range(width)} sums [0:${sumVectors - 1}];
    always @(posedge clk) begin
      read_data <= ${isShort ? '(write & (write_address == read_address)) ? write_data : ' : ''}sums[read_address];
      if (write) sums[write_address] <= write_data;
    end
    `),
  });
}

/** Stored values as the array takes them. */
function featureLanesVerilog({ rows, stored, value }: ComputeShape): VerilogModule {
  const has = Math.min(stored, 17);
  return verilogModule({
    name: 'feature_lanes',
    about: [
      'Features as the array takes them: a signed or unsigned value less its zero point, 0 in a masked',
      'lane. Combinational.',
    ],
    ports: [
      { direction: 'input', name: 'values', width: rows * stored },
      { direction: 'input', name: 'wanted', width: rows },
      { direction: 'input', name: 'unsigned_features' },
      { direction: 'input', name: 'zero_point', width: 17 },
      { direction: 'input', name: 'subtract' },
      { direction: 'output', name: 'features', width: rows * value },
    ],
    body: verilogLines(`
    wire [16:0] zero = zero_point & {17{subtract}};
    genvar i;
    generate
      for (i = 0; i < ${rows}; i = i + 1) begin : lane
        wire ${range(stored)} value = values[i * ${stored} +: ${stored}];
        wire [16:0] difference = {{${17 - has}{value[${stored - 1}] & ~unsigned_features}}, value} - zero;
        assign features[i * ${value} +: ${value}] = difference${range(value)} & {${value}{wanted[i]}};
        ${value < 17 ? `wire unused = |difference[16:${value}];` : ''}
      end
    endgenerate
    `),
  });
}

/** Lines of a chain of registers: `name_1` .. `name_<stages>` behind `name`. */
function delayed(name: string, stages: number, width?: number): string[] {
  const bits = width === undefined ? '' : `${range(width)} `;
  return Array.from({ length: stages }, (_, stage) => [
    `reg ${bits}${name}_${stage + 1};`,
    `always @(posedge clk) ${name}_${stage + 1} <= ${name}${stage === 0 ? '' : `_${stage}`};`,
  ]).flat();
}

function computeCoreVerilog(machine: MachineConfig, shape: ComputeShape): VerilogModule {
  const { peArray, postProcessing } = machine;
  const { rows, columns } = peArray;
  const { feature, value, stored, storedWeight, laneCount, columnCount, sumAddress, spareStages } = shape;
  const widths = peArrayWidths(peArray);
  const acc = widths.accumulator;
  const input = requantiseInputBits(machine);
  const streamed = streamedBits(machine);
  const word = Math.max(commandBits('compute'), commandBits('postProcess'));
  const post = shape.postWord;
  const tile = commandBits('compute');
  const { multiplierBits, lookupTable } = postProcessing.requantise;
  const isWide = usesWideRecords(machine);
  const parameters = shape.parameters;
  const weightShape = wideShape(shape.weights);
  const parameterShape = wideShape(parameters);
  const outputShape = wideShape(shape.output);
  const fields = writeFields(shape);
  const fieldBits = fields.reduce((sum, { width }) => sum + (width ?? 1), 0);
  const stages = takeToValues + spareStages;
  const { handover, openGroups, poolsSums } = shape;
  const isTree = handover > 1;
  const levels = Math.log2(handover);
  const form = crossChannelForm(machine);
  const requantised = requantisers(machine);
  /** Where cross-channel pooling has its values: stages behind the take. */
  const poolStage = poolsSums ? takeToSums : stages;
  const recordBits = 32 * shape.recordWords;
  const tableAddress = lookupTable === null ? 0 : tableWordAddressBits(machine);
  const tableBytes = stored / 8;
  const hasPool = shape.line !== undefined;
  const hasStrips = peArray.depthwise !== null;
  const lane = (name: string, bits: number): string => `${name}[i * ${bits} +: ${bits}]`;
  const port = (direction: Port['direction'], name: string, width?: number, meaning?: string): Port => ({
    direction,
    name,
    ...(width !== undefined && { width }),
    ...(meaning !== undefined && { meaning }),
  });
  const connect = (names: readonly string[]): string =>
    names.map((name) => `.${name}(${name})`).join(',\n      ');
  // Where the record has its fields, in bits (requantise/parameters.ts).
  const record = isWide
    ? { bias: 0, positive: 64, negative: 96, shift: 128 }
    : { bias: 0, positive: 32, negative: 48, shift: 64 };
  const biasBits = isWide ? 64 : 32;
  const biasOf = (from: string): string =>
    acc <= biasBits ? `${from}[${acc - 1}:0]` : signExtend(`${from}_bias`, biasBits, acc);
  /** An instance of the requantiser; maxima of sums have their bias already. */
  const requantiseLines = (
    instance: string,
    out: string,
    from: { readonly values: string; readonly record: string },
  ): string[] =>
    verilogLines(`
    requantise ${instance} (
      .clk(clk),
      .values(${from.values}),
      ${input > acc && !poolsSums ? `.streamed(${from.record === 'record' ? 'from_stream_2' : "1'b0"}),` : ''}
      ${poolsSums ? '' : `.bias(${biasOf(from.record)}),`}
      .positive_multiplier(${from.record}[${record.positive + multiplierBits - 1}:${record.positive}]),
      .negative_multiplier(${from.record}[${record.negative + multiplierBits - 1}:${record.negative}]),
      .shift(${from.record}[${record.shift + 5}:${record.shift}]),
      .low(set_low_2),
      .high(set_high_2),
      .zero_point(set_zero_point_2),
      .bypass(~set_requantise_2),
      .out(${out})
    );
    `);
  /** Of the columns beside that of chain 0, and of the record that maxima of sums are scaled by, some bits are left. */
  const unusedOfTree = isTree
    ? [
        ...Array.from({ length: handover - 1 }, (_, other) => [
          `record_${other + 1}`,
          `column_sums_${other + 1}`,
        ]).flat(),
        poolsSums ? 'last_record' : 'vector_last_at',
      ]
    : [];
  const body: string[] = [
    ...verilogLines(`
    // The command at the head, and the sequencer.
    wire head_valid, head_take, queue_full, resting;
    wire ${range(word)} head;
    assign command_ready = ~queue_full;
    command_queue queue (
      .clk(clk),
      .rst(rst),
      .push(command_valid),
      .command(command),
      .full(queue_full),
      .take(head_take),
      .valid(head_valid),
      .head(head)
    );

    wire read, read_done, step, first, accumulate_in, unsigned_features, subtract;
    wire ${range(rows)} wanted;
    wire ${range(rows * feature.address)} addresses;
    wire ${range(addressBits(shape.weights))} weight_address;
    wire [16:0] zero_point;
    wire chain_free, swap, preload, preload_two, stream_start, offer, offer_free, stream_end, fetch, is_sum, stream_read;
    wire ${range(operandBits)} operand;
    ${hasStrips ? 'wire depthwise_read, strip_end;' : ''}
    wire ${range(columnCount)} fold_columns;
    wire ${range(laneCount)} fold_lanes;
    wire fold_fill, fold_last_block, fold_last_pixels, fold_last_group, fold_first;
    wire ${range(tile)} tile;
    wire ${range(post)} post;
    tile_sequencer sequencer (
      .command_valid(head_valid),
      .command(head),
      .command_take(head_take),
      ${connect(['clk', 'rst', 'resting', 'from_load', 'from_store', 'to_load', 'read', 'wanted', 'addresses', 'read_done', 'weight_address', 'step', 'first', 'accumulate_in', 'unsigned_features', 'zero_point', 'subtract', 'chain_free', 'swap', 'preload', 'preload_two', 'stream_start', 'fetch', 'operand', 'is_sum', 'stream_read', 'offer', ...(hasStrips ? ['depthwise_read', 'strip_end'] : []), 'offer_free', 'stream_end', 'fold_columns', 'fold_fill', 'fold_last_block', 'fold_last_pixels', 'fold_last_group', 'fold_first', 'fold_lanes', 'tile', 'post'])}
    );

    // The chain, and what is taken from it or from the stream.
    ${hasStrips ? 'wire from_strip, vector_strip_end;' : ''}
    ${isTree ? `wire ${range(handover)} shift;\n    wire ${range(levels)} vector_at, vector_last_at;\n    wire ${range(bitsFor(levels))} vector_level;\n    ` : ''}${openGroups > 1 ? `wire ${range(bitsFor(openGroups - 1))} vector_slot;\n    ` : ''}wire pool_busy, ${isTree ? '' : 'shift, '}from_stream, vector, vector_first, vector_last, vector_last_map, vector_last_pixels;
    wire vector_last_group, tile_first, signal_store, sum_write;
    wire ${range(laneCount)} vector_lanes;
    wire ${range(addressBits(parameters))} record_address;
    wire ${range(post)} settings;
    wire [15:0] tile_out_rows, tile_out_columns;
    wire ${range(sumAddress)} sum_write_address, sum_read_address;
    chain_control chain (
      ${connect(['clk', 'rst', 'swap', 'preload', 'preload_two', 'stream_start', 'fetch', 'offer', ...(hasStrips ? ['strip_end', 'from_strip', 'vector_strip_end'] : []), 'fold_columns', 'fold_fill', 'fold_last_block', 'fold_last_pixels', 'fold_last_group', 'fold_first', 'fold_lanes', 'tile', 'post', 'pool_busy', 'chain_free', 'offer_free', 'stream_end', 'shift', 'from_stream', 'vector', 'vector_first', 'vector_last', 'vector_last_map', 'vector_last_pixels', 'vector_last_group', 'vector_lanes', ...(shape.openGroups > 1 ? ['vector_slot'] : []), ...(isTree ? ['vector_at', 'vector_last_at', 'vector_level'] : []), 'record_address', 'tile_first', 'settings', 'tile_out_rows', 'tile_out_columns', 'signal_store', 'sum_write', 'sum_write_address', 'sum_read_address'])}
    );

    // Operands: a cycle behind the sequencer. The zero point and signedness are the tile's, which ends later.
    wire ${range(rows * stored)} feature_values;
    feature_buffer feature_memory (
      .clk(clk),
      .rst(rst),
      .read(read),
      .wanted(wanted),
      .addresses(addresses),
      .done(read_done),
      .values(feature_values),
      .write(feature_write),
      .write_word(feature_write_word),
      .write_data(feature_write_data)
    );
    reg ${range(rows)} wanted_1;
    reg step_1, first_1, swap_1, stream_read_1, offer_1, preload_1;
    reg ${range(operandBits)} operand_1;
    always @(posedge clk) begin
      wanted_1 <= wanted;
      step_1 <= step & ~rst;
      first_1 <= first;
      swap_1 <= swap & ~rst;
      stream_read_1 <= stream_read & ~rst;
      offer_1 <= offer;
      operand_1 <= operand;
      preload_1 <= accumulate_in;
    end
    wire ${range(rows * value)} features;
    wire [16:0] operand_zero_point;
    feature_lanes operands (
      .values(feature_values),
      .wanted(wanted_1),
      .unsigned_features(unsigned_features),
      .zero_point(is_sum ? operand_zero_point : zero_point),
      .subtract(subtract),
      .features(features)
    );
    wire ${range(columns * storedWeight)} weight_values;
    wire ${range(columns * widths.weight)} weights;
    weight_buffer weight_memory (
      .clk(clk),
      .read_address(weight_address),
      .read_data(weight_values),
      .write(weight_write),
      .write_word(weight_write_word),
      .write_data(weight_write_data)
    );
    genvar i;
    generate
      for (i = 0; i < ${columns}; i = i + 1) begin : weight
        assign weights[i * ${widths.weight} +: ${widths.weight}] = weight_values[i * ${storedWeight} +: ${widths.weight}];
      end
    endgenerate

    ${isTree ? `wire ${range(rows * acc)} start_sums;\n    wire ${range(handover * rows * acc)} chain_out;` : `wire ${range(rows * acc)} chain_out, start_sums;`}
    ${hasStrips ? `wire ${range(rows * acc)} strip_sums;` : ''}
    ${hasStrips ? 'reg depthwise_read_1;' : ''}
    ${hasStrips ? 'always @(posedge clk) depthwise_read_1 <= depthwise_read & ~rst;' : ''}
    ${hasStrips ? `wire stride_two = tile${fieldSlice('compute', 'strideColumns')} == 8'd2;` : ''}
    pe_array array (
      .clk(clk),
      .rst(rst),
      .step(step_1),
      .first(first_1),
      .preload(preload_1),
      .swap(swap_1),
      .shift(shift),
      ${hasStrips ? '.depthwise(depthwise_read_1),' : ''}
      ${hasStrips ? '.stride_two(stride_two),' : ''}
      ${hasStrips ? '.strip_sums(strip_sums),' : ''}
      .features(features),
      .weights(weights),
      .chain_in(start_sums),
      .chain_out(chain_out)
    );
    `),
    ...(isTree
      ? [
          ...delayed('vector_at', poolStage, levels),
          ...(poolsSums ? delayed('vector_last_at', 2, levels) : []),
          ...delayed('vector_level', poolStage, bitsFor(levels)),
        ]
      : []),
    ...(openGroups > 1 ? delayed('vector_slot', poolStage, bitsFor(openGroups - 1)) : []),
    '',
    ...verilogLines(`
    // Partial sums: written two cycles behind the take, read as the chain shifts.
    wire sum_kept = sum_write & ~rst;
    `),
    ...delayed('sum_kept', 2),
    ...delayed('sum_write_address', 2, sumAddress),
    ...verilogLines(`
    accumulator_buffer sum_memory (
      .clk(clk),
      .read_address(sum_read_address),
      .read_data(start_sums),
      .write(sum_kept_2),
      .write_address(sum_write_address_2),
      .write_data(${isTree ? `chain_out[vector_at_2 * ${rows * acc} +: ${rows * acc}]` : 'chain_out'})
    );

    // What streams past the array. The record of an operand is there three cycles behind its \`fetch\`.
    ${isTree ? `wire ${range(handover * recordBits)} records;\n    ` : ''}wire ${range(recordBits)} record${isTree ? ` = records${range(recordBits)}` : ''};
    `),
    ...delayed('fetch', 2),
    `reg ${range(operandBits)} operand_2;`,
    'always @(posedge clk) operand_2 <= operand_1;',
    ...verilogLines(`
    wire ${range(rows * streamed)} streamed;
    stream_sums sums_past (
      .clk(clk),
      .write(fetch_2),
      .write_operand(operand_2),
      .write_zero_point(record[16:0]),
      .write_multiplier(record[32 +: ${operandMultiplierBits}]),
      .is_sum(is_sum),
      .operand(operand_1),
      .read(stream_read_1),
      .last(offer_1),
      .features(features),
      .zero_point(operand_zero_point),
      .sums(streamed)
    );
    `),
    ...delayed('from_stream', 2),
    ...(hasStrips ? delayed('from_strip', 2) : []),
    ...verilogLines(`
    wire ${range(rows * input)} sums;
    generate
      for (i = 0; i < ${rows}; i = i + 1) begin : source
        wire ${range(streamed)} past = ${lane('streamed', streamed)};
        wire ${range(acc)} sum = ${hasStrips ? `from_strip_2 ? ${lane('strip_sums', acc)} : ` : ''}${lane('chain_out', acc)};
        assign ${lane('sums', input)} = from_stream_2 ? ${signExtend('past', streamed, input)} : ${signExtend('sum', acc, input)};
      end
    endgenerate

    // The vector's parameter record, and its tile's settings.
    reg ${range(addressBits(parameters))} record_address_1;
    always @(posedge clk) record_address_1 <= record_address;
    parameter_buffer parameter_memory (
      .clk(clk),
      .read_address(record_address_1),
      .read_data(${isTree ? 'records' : 'record'}),
      .write(parameter_write),
      .write_word(parameter_write_word),
      .write_data(parameter_write_data)
    );
    `),
    ...Array.from({ length: handover - 1 }, (_, other) => columnLines(shape, input, acc, other + 1)).flat(),
    ...(acc > biasBits
      ? Array.from({ length: handover }, (_, column) => (column === 0 ? 'record' : `record_${column}`)).map(
          (from) => `wire ${range(biasBits)} ${from}_bias = ${from}[${biasBits - 1}:0];`,
        )
      : []),
    ...fieldWires(
      'postProcess',
      'settings',
      [
        'requantise',
        'low',
        'high',
        'zeroPoint',
        ...(lookupTable === null ? [] : (['lookup', 'unsigned'] as const)),
      ],
      'set_',
    ),
    ...delayed('set_requantise', 2),
    ...delayed('set_low', lookupTable === null ? 2 : 5, 17),
    ...delayed('set_high', 2, 17),
    ...delayed('set_zero_point', 2, 17),
    ...(lookupTable === null ? [] : [...delayed('set_lookup', 5), ...delayed('set_unsigned', 5)]),
    ...(poolsSums ? sumPoolLines(machine, shape, biasOf) : []),
    ...verilogLines(`
    wire ${range(requantised * rows * valueBits)} scaled, settled;
    `),
    ...(poolsSums
      ? requantiseLines('scale', 'scaled', {
          values: 'pooled',
          record: isTree ? 'last_record' : 'record',
        })
      : Array.from({ length: requantised }, (_, column) =>
          requantiseLines(
            isTree ? `scale_${column}` : 'scale',
            isTree ? `scaled[${(column + 1) * rows * valueBits - 1}:${column * rows * valueBits}]` : 'scaled',
            {
              values: column === 0 ? 'sums' : `column_sums_${column}`,
              record: column === 0 ? 'record' : `record_${column}`,
            },
          ),
        ).flat()),
    ...(lookupTable === null
      ? [
          `reg ${range(requantised * rows * valueBits)} scaled_1;`,
          'always @(posedge clk) scaled_1 <= scaled;',
          'assign settled = scaled_1;',
        ]
      : verilogLines(`
    lookup_table table_lanes (
      .clk(clk),
      .lookup(set_lookup_5),
      .unsigned_entries(set_unsigned_5),
      .low(set_low_5),
      .values(scaled),
      .write_enable(table_write),
      .write_address(table_write_word),
      .write_data(table_write_data),
      .out(settled)
    );
    `)),
    ...verilogLines(`
    wire ${range(requantised * rows * value)} narrowed;
    generate
      for (i = 0; i < ${requantised * rows}; i = i + 1) begin : narrow
        assign ${lane('narrowed', value)} = settled[i * ${valueBits} +: ${value}];
      end
    endgenerate
    `),
    ...delayed('narrowed', spareStages, requantised * rows * value),
    `wire ${range(requantised * rows * value)} entering = narrowed${spareStages > 0 ? `_${spareStages}` : ''};`,
    '',
    '// Cross-channel pooling, as the vector was taken.',
    ...(poolsSums
      ? ['wire [1:0] unused_vector = {vector_first, vector_last};']
      : [
          'wire taken = vector & ~rst;',
          ...delayed('taken', stages),
          ...delayed('vector_first', stages),
          ...delayed('vector_last', stages),
        ]),
    `wire ${range(rows * value)} reduced;`,
    ...(form === undefined || poolsSums
      ? [
          'assign reduced = entering;',
          ...(poolsSums
            ? []
            : [`wire unused_vector = taken_${stages} & vector_first_${stages} & vector_last_${stages};`]),
        ]
      : form.kind === 'tree'
        ? [
            ...treeInstance('entering', 'reduced', stages),
            `wire unused_vector = taken_${stages} & vector_first_${stages} & vector_last_${stages};`,
          ]
        : verilogLines(`
    wire reduced_valid;
    cross_channel_pool across_channels (
      .clk(clk),
      .valid(taken_${stages}),
      .first(vector_first_${stages}),
      .last(vector_last_${stages}),${openGroups > 1 ? `\n      .slot(vector_slot_${stages}),` : ''}
      .values(entering),
      .out_valid(reduced_valid),
      .out(reduced)
    );
    wire unused_vector = reduced_valid;
    `)),
    '',
    '// Where the vector goes, found as it is taken and brought to its values.',
    ...fields.map(({ name, width }) => `wire ${width === undefined ? '' : `${range(width)} `}to_${name};`),
    ...verilogLines(`
    write_sequencer places (
      .clk(clk),
      .rst(rst),
      .tile_first(tile_first),
      .vector(vector & vector_last),
      .last_map(vector_last_map),
      .last_pixels(vector_last_pixels),
      .last_group(vector_last_group),
      .lanes(vector_lanes),
      .settings(settings),
      .tile_out_rows(tile_out_rows),
      .tile_out_columns(tile_out_columns),
      .signal_store(signal_store),
      ${hasStrips ? '.in_strip(from_strip),' : ''}
      ${hasStrips ? '.strip_end(vector_strip_end),' : ''}
      .busy(pool_busy),
      ${fields.map(({ name }) => `.${name}(to_${name})`).join(',\n      ')}
    );
    `),
    `wire ${range(fieldBits)} target = {${fields.map(({ name }) => `to_${name}`).join(', ')}} & ~{${fieldBits}{rst}};`,
    ...delayed('target', stages, fieldBits),
    ...fields.map(({ name, width }) => `wire ${width === undefined ? '' : `${range(width)} `}at_${name};`),
    `assign {${fields.map(({ name }) => `at_${name}`).join(', ')}} = target_${stages};`,
    ...verilogLines(`

    // A vector that takes several cycles is held.
    reg ${range(rows * value)} held;
    wire ${range(rows * value)} present = at_fresh ? reduced : held;
    always @(posedge clk) held <= present;
    `),
    `wire ${range(rows)} plain_mask;`,
    'generate',
    `  for (i = 0; i < ${rows}; i = i + 1) begin : mask`,
    `    assign plain_mask[i] = at_write & (i < at_count);`,
    '  end',
    'endgenerate',
    `wire ${range(shape.writeLanes)} write_mask;`,
    `wire ${range(shape.writeLanes * value)} write_values;`,
    ...(hasPool
      ? poolLines(machine, shape, stages)
      : ['assign write_mask = plain_mask;', 'assign write_values = present;']),
    `wire ${range(shape.writeLanes * stored)} write_stored;`,
    'generate',
    `  for (i = 0; i < ${shape.writeLanes}; i = i + 1) begin : store`,
    `    wire ${range(value)} one = ${lane('write_values', value)};`,
    `    assign ${lane('write_stored', stored)} = ${value >= stored ? `one${range(stored)}` : signExtend('one', value, stored)};`,
    ...(value > stored ? [`    wire unused = one[${value - 1}];`] : []),
    '  end',
    'endgenerate',
    ...verilogLines(`
    output_buffer output_memory (
      .clk(clk),
      .read_word(output_read_word),
      .read_data(output_read_data),
      .write(write_mask),
      .write_address(at_out_address),
      .write_data(write_stored)
    );
    reg done_1;
    always @(posedge clk) done_1 <= at_done & ~rst;
    assign to_store = done_1;

    // Tiles that have been accepted and will give the store queue a token.
    reg ${range(tilesInFlightBits)} in_flight;
    wire begins = head_take & (head[3:0] == 4'd${formats.compute.opcode}) & head${fieldSlice('compute', 'signalStore')} & ~head${fieldSlice('compute', 'accumulateOut')};
    always @(posedge clk)
      if (rst) in_flight <= ${literal(tilesInFlightBits, 0)};
      else in_flight <= in_flight + {${tilesInFlightBits - 1}'d0, begins} - {${tilesInFlightBits - 1}'d0, done_1};
    assign idle = ~head_valid & resting & (in_flight == ${literal(tilesInFlightBits, 0)});

    wire unused = &{settings, record, settled, weight_values${unusedOfTree.map((name) => `, ${name}`).join('')}};
    `),
  ];
  return verilogModule({
    name: 'compute_core',
    about: [
      `${machine.name.replace(/[^\x20-\x7e]/g, '?')}: the compute side, from the command queue to the output buffer.`,
      '',
      'Commands come in by command_valid and command_ready. Tokens are pulses of one cycle. The buffers are',
      'filled by whole words of values, one enable a value, and emptied likewise.',
    ],
    ports: [
      clockPort,
      resetPort,
      port('input', 'command_valid'),
      port('input', 'command', word, 'postProcess or compute, as the instruction set encodes them'),
      port('output', 'command_ready'),
      port(
        'output',
        'idle',
        undefined,
        'no command is left, and every tile that signals the store queue is complete',
      ),
      port('input', 'from_load', undefined, 'token: operands are in'),
      port('input', 'from_store', undefined, 'token: an output slot is free'),
      port('output', 'to_load', undefined, 'token: operands are no longer read'),
      port('output', 'to_store', undefined, 'token: the tile is complete'),
      port('input', 'feature_write', feature.banks),
      port('input', 'feature_write_word', feature.word),
      port('input', 'feature_write_data', feature.banks * stored),
      port('input', 'weight_write', weightShape.banks),
      port('input', 'weight_write_word', weightShape.word),
      port('input', 'weight_write_data', weightShape.banks * storedWeight),
      port('input', 'parameter_write', parameterShape.banks),
      port('input', 'parameter_write_word', parameterShape.word),
      port('input', 'parameter_write_data', parameterShape.banks * 32),
      ...(lookupTable === null
        ? []
        : [
            port('input', 'table_write', tableBytes),
            port('input', 'table_write_word', tableAddress),
            port('input', 'table_write_data', 8 * tableBytes),
          ]),
      port('input', 'output_read_word', outputShape.word),
      port('output', 'output_read_data', outputShape.banks * stored, 'a cycle later'),
    ],
    body,
  });
}

/** Sums and record of a column that leaves beside that of chain 0. */
function columnLines(
  { rows, recordWords }: ComputeShape,
  input: number,
  acc: number,
  column: number,
): string[] {
  const bits = 32 * recordWords;
  return verilogLines(`
    wire ${range(bits)} record_${column} = records[${(column + 1) * bits - 1}:${column * bits}];
    wire ${range(rows * input)} column_sums_${column};
    generate
      for (i = 0; i < ${rows}; i = i + 1) begin : column_${column}
        wire ${range(acc)} sum = chain_out[(${column * rows} + i) * ${acc} +: ${acc}];
        assign column_sums_${column}[i * ${input} +: ${input}] = ${signExtend('sum', acc, input)};
      end
    endgenerate
  `);
}

/** A tree over columns, \`stage\` cycles behind the take. */
function treeInstance(values: string, out: string, stage: number): string[] {
  return verilogLines(`
    cross_channel_pool across_channels (
      .values(${values}),
      .level(vector_level_${stage}),
      .at(vector_at_${stage}),
      .out(${out})
    );
  `);
}

/** In front of the requantiser: biases, and maxima of what they make; a stream passes. */
function sumPoolLines(
  machine: MachineConfig,
  shape: ComputeShape,
  biasOf: (record: string) => string,
): string[] {
  const { rows, handover, openGroups, recordWords } = shape;
  const acc = machine.peArray.accumulatorBits;
  const input = requantiseInputBits(machine);
  const isTree = handover > 1;
  const recordBits = 32 * recordWords;
  const lane = (name: string, bits: number): string => `${name}[i * ${bits} +: ${bits}]`;
  const others = Array.from({ length: handover - 1 }, (_, other) => other + 1);
  return [
    ...verilogLines(`
    wire ${range(rows * input)} biased;
    wire ${range(rows * acc)} biased_sums, maxima_of_sums;
    generate
      for (i = 0; i < ${rows}; i = i + 1) begin : add_bias
        bias_lane unit (
          .value(${lane('sums', input)}),
          ${input > acc ? '.streamed(from_stream_2),' : ''}
          .bypass(~set_requantise_2),
          .bias(${biasOf('record')}),
          .out(${lane('biased', input)})
        );
        assign ${lane('biased_sums', acc)} = biased[i * ${input} +: ${acc}];
      end
    endgenerate
    `),
    ...others.flatMap((column) =>
      verilogLines(`
    wire ${range(rows * acc)} biased_sums_${column};
    generate
      for (i = 0; i < ${rows}; i = i + 1) begin : add_bias_${column}
        wire ${range(acc)} sum = column_sums_${column}[i * ${input} +: ${acc}];
        column_bias_lane unit (
          .value(sum),
          .bias(${biasOf(`record_${column}`)}),
          .out(${lane(`biased_sums_${column}`, acc)})
        );
      end
    endgenerate
      `),
    ),
    ...(isTree
      ? [
          `wire ${range(handover * rows * acc)} columns_at_once = {${[...others]
            .reverse()
            .map((column) => `biased_sums_${column}, `)
            .join('')}biased_sums};`,
          ...treeInstance('columns_at_once', 'maxima_of_sums', takeToSums),
          `wire ${range(recordBits)} last_record = records[vector_last_at_2 * ${recordBits} +: ${recordBits}];`,
        ]
      : crossChannelForm(machine) === undefined
        ? ['assign maxima_of_sums = biased_sums;']
        : [
            'wire taken = vector & ~rst;',
            ...delayed('taken', takeToSums),
            ...delayed('vector_first', takeToSums),
            ...delayed('vector_last', takeToSums),
            ...verilogLines(`
    wire maxima_valid;
    cross_channel_pool across_channels (
      .clk(clk),
      .valid(taken_2),
      .first(vector_first_2),
      .last(vector_last_2),
      ${openGroups > 1 ? '.slot(vector_slot_2),' : ''}
      .values(biased_sums),
      .out_valid(maxima_valid),
      .out(maxima_of_sums)
    );
    wire unused_maxima = maxima_valid;
          `),
          ]),
    ...verilogLines(`
    wire ${range(rows * input)} pooled;
    generate
      for (i = 0; i < ${rows}; i = i + 1) begin : past_maxima
        wire ${range(acc)} most = ${lane('maxima_of_sums', acc)};
        assign ${lane('pooled', input)} = ${input > acc ? `from_stream_2 ? ${lane('biased', input)} : ${signExtend('most', acc, input)}` : 'most'};
      end
    endgenerate
    `),
  ];
}

/** The pooling unit, its line buffer, and the choice between pooled and plain values. */
function poolLines(machine: MachineConfig, shape: ComputeShape, stages: number): string[] {
  const { rows, value, stored, pooledLanes, windowSum } = shape;
  const line = shape.line!;
  const spare = (pooledLanes - rows) * value;
  const averages = windowSum !== undefined;
  const connected = (names: readonly string[]): string =>
    names.map((name) => `.${name}(at_${name}),`).join('\n    ');
  const places = [
    'skip',
    'count',
    'window',
    'stride',
    'distance',
    'windows',
    'left_edge',
    'right_edge',
    'first_row',
    'last_row',
  ];
  return [
    ...verilogLines(`
  // The line buffer is read a cycle ahead.
  wire ${range(addressBits(line))} line_read;
  assign line_read = target_${stages - 1}[${addressBits(line) - 1}:0];
  wire ${range(line.lanes * stored)} line_values, line_stored;
  wire ${range(line.lanes)} line_stays;
  wire ${range(pooledLanes * value)} maxima, pooled_values;
  wire ${range(pooledLanes)} stays, leaves;
  spatial_pool pooling (
    .valid(at_write & at_pooled),
    .values(present),
    ${connected(places)}
    .unsigned_values(at_unsigned_values),
    .line(line_values${range(pooledLanes * stored)}),
    .out(maxima),
    .stays(stays),
    .leaves(leaves)
  );
  wire ${range(pooledLanes * stored)} maxima_stored;
  generate
    for (i = 0; i < ${pooledLanes}; i = i + 1) begin : open
      wire ${range(value)} one = maxima[i * ${value} +: ${value}];
      assign maxima_stored[i * ${stored} +: ${stored}] = ${value >= stored ? `one${range(stored)}` : signExtend('one', value, stored)};
      ${value > stored ? `wire unused = one[${value - 1}];` : ''}
    end
  endgenerate
  line_buffer line_memory (
    .clk(clk),
    .read_address(line_read),
    .read_data(line_values),
    .write(line_stays),
    .write_address(at_line_address),
    .write_data(line_stored)
  );
  assign write_mask = at_pooled ? leaves : ${spare === 0 ? 'plain_mask' : `{${pooledLanes - rows}'d0, plain_mask}`};
  assign write_values = at_pooled ? pooled_values : ${spare === 0 ? 'present' : `{${spare}'d0, present}`};
  `),
    ...(averages
      ? averageLines(machine, shape, connected(places))
      : [
          'assign pooled_values = maxima;',
          'assign line_stays = stays;',
          'assign line_stored = maxima_stored;',
        ]),
  ];
}

/** Sums beside the maxima; a sum takes two values of the line buffer. */
function averageLines(machine: MachineConfig, shape: ComputeShape, connected: string): string[] {
  const { rows, value, stored, pooledLanes, windowSum } = shape;
  const bits = value - 1;
  const sum = windowSum!;
  const tap = bitsFor(machine.postProcessing.spatialPool!.maximumWindow ** 2);
  const places = bitsFor(256 * (pooledLanes + 1));
  const P = (name: string, width: number): string => `{${places - width}'d0, ${name}}`;
  const { laneCount } = shape;
  return verilogLines(`

  // Averages: values are counted from the lowest one.
  wire ${range(rows * sum)} counted;
  wire ${range(pooledLanes * sum)} window_sums;
  wire ${range(pooledLanes * value)} averages;
  wire ${range(pooledLanes)} sums_stay, sums_leave;
  generate
    for (i = 0; i < ${rows}; i = i + 1) begin : count_from_lowest
      wire ${range(bits)} one = present[i * ${value} +: ${bits}] ^ {~at_unsigned_values, ${bits - 1}'d0};
      assign counted[i * ${sum} +: ${sum}] = {${sum - bits}'d0, one};
    end
  endgenerate
  spatial_sum summing (
    .valid(at_write & at_pooled),
    .values(counted),
    ${connected}
    .line(line_values),
    .out(window_sums),
    .stays(sums_stay),
    .leaves(sums_leave)
  );
  // Columns of a window inside the map: all less those left of it and right of it.
  wire ${range(places)} place_0 = ${P('at_distance', distanceBits)};
  wire ${range(places)} from_edge = ${P('at_column', sideBits)};
  wire ${range(places)} window_columns = ${P('at_window', sideBits)};
  wire ${range(places)} segment_lanes = ${P('at_count', laneCount)};
  ${Array.from({ length: pooledLanes - 1 }, (_, m) => `wire ${range(places)} place_${m + 1} = place_${m} + ${P('at_stride', 8)};`).join('\n  ')}
  wire ${range(pooledLanes * places)} window_places = {${Array.from({ length: pooledLanes }, (_, m) => `place_${pooledLanes - 1 - m}`).join(', ')}};
  generate
    for (i = 0; i < ${pooledLanes}; i = i + 1) begin : divide
      wire ${range(places)} last = window_places[i * ${places} +: ${places}];
      wire ${range(places)} behind = last + from_edge + ${literal(places, 1)};
      wire ${range(places)} cut_left = (behind < window_columns) ? window_columns - behind : ${literal(places, 0)};
      wire ${range(places)} cut_right = (last >= segment_lanes) ? last + ${literal(places, 1)} - segment_lanes : ${literal(places, 0)};
      wire ${range(places)} columns = window_columns - cut_left - cut_right;
      window_average division (
        .total(window_sums[i * ${sum} +: ${sum}]),
        .rows(at_row_taps),
        .columns(columns${range(sideBits)}),
        .all(at_window_taps${range(tap)}),
        .count_padding(at_count_padding),
        .padding(at_padding),
        .unsigned_values(at_unsigned_values),
        .average(averages[i * ${value} +: ${value}])
      );
      assign line_stored[2 * i * ${stored} +: ${2 * stored}] = at_averaging
        ? window_sums[i * ${sum} +: ${sum}]
        : ${pooledLanes === 1 ? `{${stored}'d0, maxima_stored}` : `maxima_pairs[2 * i * ${stored} +: ${2 * stored}]`};
      assign line_stays[2 * i +: 2] = at_averaging ? {2{sums_stay[i]}} : ${pooledLanes === 1 ? "{1'b0, stays}" : 'stay_pairs[2 * i +: 2]'};
      wire unused = |columns[${places - 1}:${sideBits}];
    end
  endgenerate
  ${pooledLanes === 1 ? '' : `wire ${range(2 * pooledLanes * stored)} maxima_pairs = {${pooledLanes * stored}'d0, maxima_stored};`}
  ${pooledLanes === 1 ? '' : `wire ${range(2 * pooledLanes)} stay_pairs = {${pooledLanes}'d0, stays};`}
  assign pooled_values = at_averaging ? averages : maxima;
  wire unused_sums = |{sums_leave, at_window_taps};
  `);
}
