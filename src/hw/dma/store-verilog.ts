/**
 * The write DMA engine in Verilog (docs/machine.md section 4): reads the output buffer beat by beat, gathers a transaction's
 * bytes, and issues it with the last of them.
 */
import { formats } from '../isa/formats.ts';
import { fieldSlice } from '../isa/verilog.ts';
import {
  bitsFor,
  type CountedModule,
  clockPort,
  literal,
  type Port,
  range,
  resetPort,
  type VerilogModule,
  verilogLines,
  verilogModule,
} from '../verilog.ts';
import { descriptorDelay, outstandingCounter, tokenCounter } from './load-verilog.ts';
import { moveWalkerVerilog, moveWriteLines } from './move-verilog.ts';
import { rotated } from './rotate.ts';
import { type DmaShape, dramAddressBits } from './shape.ts';

/** Ports towards the memory, of the engine and of the machine. */
export function writePorts({ burstBytes }: DmaShape): readonly Port[] {
  return [
    { direction: 'output', name: 'write_valid', meaning: 'a write transaction' },
    { direction: 'output', name: 'write_address', width: 32, meaning: `a multiple of ${burstBytes}` },
    { direction: 'output', name: 'write_data', width: 8 * burstBytes },
    { direction: 'output', name: 'write_strobes', width: burstBytes, meaning: 'one a byte' },
    { direction: 'input', name: 'write_ready' },
    { direction: 'input', name: 'acknowledge', meaning: 'the oldest write is done' },
    { direction: 'output', name: 'acknowledge_ready' },
  ];
}

/** Ports of moves: towards the feature buffer, and from the read engine. */
export function movePorts({ moves, targets }: DmaShape): readonly Port[] {
  if (!moves) return [];
  const { wordBytes, unitBytes, word } = targets[0]!;
  return [
    { direction: 'input', name: 'feature_busy', meaning: 'loads go first' },
    { direction: 'output', name: 'move_write', width: wordBytes / unitBytes },
    { direction: 'output', name: 'move_write_word', width: word },
    { direction: 'output', name: 'move_write_data', width: 8 * wordBytes },
  ];
}

/** The engine, and the memory that knows which transactions are the last of a transfer. */
export function storeDmaModules(shape: DmaShape): readonly CountedModule[] {
  const { outstandingWrites: limit, moves } = shape;
  const place = bitsFor(limit - 1);
  const bits = moves ? 2 : 1;
  const order = verilogModule({
    name: 'order_memory',
    about: [
      `For each write${moves ? ' and move' : ''} under way: whether it is the last of its command${moves ? ', and a move' : ''}. Read without a clock.`,
    ],
    memoryBits: bits * limit,
    ports: [
      clockPort,
      { direction: 'input', name: 'read_address', width: place },
      { direction: 'output', name: 'read_data', width: bits },
      { direction: 'input', name: 'write' },
      { direction: 'input', name: 'write_address', width: place },
      { direction: 'input', name: 'write_data', width: bits },
    ],
    body: verilogLines(`
    reg ${range(bits)} last [0:${limit - 1}];
    assign read_data = last[read_address];
    always @(posedge clk)
      if (write) last[write_address] <= write_data;
    `),
  });
  return [
    { ...storeDmaVerilog(shape), count: 1 },
    { ...order, count: 1 },
    ...(moves ? [{ ...moveWalkerVerilog(shape), count: 1 }] : []),
  ];
}

function storeDmaVerilog(shape: DmaShape): VerilogModule {
  const { burst, burstBytes, command, output, outstandingWrites: limit, address, moves, targets } = shape;
  // The gathering stage lays a beat of a move out as wide as the wider of both buffers' beats.
  const laid = Math.log2(Math.max(targets[0]!.beatBytes, output.beatBytes));
  const placed =
    laid === burst
      ? `target_address${range(burst)}`
      : laid === 0
        ? `${burst}'d0`
        : `{${burst - laid}'d0, target_address${range(laid)}}`;
  const either = (move: string, store: string): string => (moves ? `moving ? ${move} : ${store}` : store);
  const { beatBytes, wordBytes, word } = output;
  const count = burst + 1;
  const dram = dramAddressBits;
  const beat = Math.log2(beatBytes);
  const whole = Math.log2(wordBytes);
  const place = bitsFor(limit - 1);
  const next = (name: string): string =>
    2 ** place === limit
      ? `${name} + ${literal(place, 1)}`
      : `(${name} == ${literal(place, limit - 1)}) ? ${literal(place, 0)} : ${name} + ${literal(place, 1)}`;
  const room =
    beat === 0
      ? literal(count, 1)
      : `${literal(count, beatBytes)} - {${count - beat}'d0, buffer_address${range(beat)}}`;
  const parts = whole - beat;
  return verilogModule({
    name: 'store_dma',
    about: [
      `Write DMA engine: transfers from the output buffer to DRAM. At most ${limit} transactions of at most ${burstBytes} bytes`,
      "are under way. A beat's word is read in one cycle and merged in the next; the transaction goes out",
      "with its last beat. The token for the compute unit is in the cycle of a transfer's last acknowledgement.",
    ],
    ports: [
      clockPort,
      resetPort,
      { direction: 'input', name: 'command_valid' },
      { direction: 'input', name: 'command', width: command, meaning: 'store' },
      { direction: 'output', name: 'command_ready' },
      { direction: 'output', name: 'idle' },
      { direction: 'input', name: 'from_compute', meaning: 'token: the tile is complete' },
      { direction: 'output', name: 'to_compute', meaning: 'token: the output slot is free' },
      ...writePorts(shape),
      ...movePorts(shape),
      { direction: 'output', name: 'output_read_word', width: word },
      { direction: 'input', name: 'output_read_data', width: 8 * wordBytes, meaning: 'a cycle later' },
    ],
    body: [
      ...verilogLines(`
      wire queue_full, waiting, take, complete, incomplete;
      wire ${range(command)} head, oldest;
      assign command_ready = ~queue_full;
      transfer_queue queue (
        .clk(clk),
        .rst(rst),
        .push(command_valid),
        .command(command),
        .full(queue_full),
        .idle(idle),
        .take(take),
        .waiting(waiting),
        .head(head),
        .complete(complete),
        .incomplete(incomplete),
        .oldest(oldest)
      );

      // Acceptance. A transfer is active until its last transaction is issued.
      reg active, reading;
      reg signals, known;
      wire waits = head${fieldSlice('store', 'waitCompute')};
      `),
      ...tokenCounter(),
      'assign take = waiting & ~active & (~waits | has_token);',
      ...descriptorDelay(shape.descriptorCycles, 1),
      ...verilogLines(`

      // The beat whose word is read in this cycle.
      wire ${range(dram)} dram_address;
      wire ${range(address)} buffer_address;
      wire ${range(count)} bytes;
      wire transaction_end, command_end;
      wire gathered;
      reg gathering;
      wire step = reading & decoded & (~gathering | gathered);
      wire ${range(count)} beat_room = ${room};
      beat_walker walker (
        .clk(clk),
        .start(take),
        .command(head),
        .step(step),
        .beat_room(beat_room),
        .dram_address(dram_address),
        .buffer_address(buffer_address),
        .bytes(bytes),
        .transaction_end(transaction_end),
        .command_end(command_end)
      );
      `),
      ...(moves
        ? verilogLines(`

      // A move is active instead of a store.
      reg moving;
      wire ${range(address)} source_address, target_address;
      wire ${range(count)} move_bytes;
      wire move_end;
      move_walker moves (
        .clk(clk),
        .start(take),
        .command(head),
        .step(step),
        .source(source_address),
        .target(target_address),
        .bytes(move_bytes),
        .command_end(move_end)
      );
      always @(posedge clk)
        if (take) moving <= head[3:0] == 4'd${formats.move.opcode};
        `)
        : []),
      ...verilogLines(`
      wire ${range(address)} read_address = ${either('source_address', 'buffer_address')};
      assign output_read_word = read_address[${whole + word - 1}:${whole}];

      // The beat that is merged in this cycle; it stays, without being merged again, until its transaction goes.
      reg fresh, last_beat, last_transaction;
      reg ${range(dram - burst)} burst_number;
      reg ${range(burst)} from;
      reg ${range(count)} beat_bytes;
      ${beat === 0 ? '' : `reg ${range(beat)} turn;`}
      ${parts === 0 ? '' : `reg ${range(parts)} part;`}
      wire issued = write_valid & write_ready;
      wire answered;
      `).filter((line) => line.trim() !== '' || line === ''),
      ...(moves
        ? verilogLines(`
      reg to_chip, started;
      reg ${range(address)} target;
      wire begun = issued | move_starts;
      wire move_starts;
        `)
        : []),
      ...outstandingCounter(limit, moves ? 'begun' : 'issued'),
      ...(moves
        ? verilogLines(`
      // A move is one thing under way, from its first beat on; loads go first.
      assign move_starts = gathering & to_chip & ~started & allowed;
      wire moved_beat = gathering & to_chip & (started | allowed) & ~feature_busy;
      assign write_valid = gathering & last_beat & ~to_chip & allowed;
      assign gathered = to_chip ? moved_beat : gathering & (~last_beat | issued);
      wire last_issued = (issued | moved_beat) & last_transaction;
      always @(posedge clk) begin
        started <= ~rst & (started | move_starts) & ~(moved_beat & last_transaction);
        if (step) begin
          to_chip <= moving;
          target <= target_address;
        end
      end
        `)
        : verilogLines(`
      assign write_valid = gathering & last_beat & allowed;
      assign gathered = gathering & (~last_beat | issued);
      wire last_issued = issued & last_transaction;
        `)),
      ...verilogLines(`
      always @(posedge clk) begin
        if (rst) begin
          active <= 1'b0;
          reading <= 1'b0;
          gathering <= 1'b0;
        end else begin
          if (take) active <= 1'b1;
          else if (last_issued) active <= 1'b0;
          if (take) reading <= 1'b1;
          else if (step & (${either('move_end', 'command_end')})) reading <= 1'b0;
          gathering <= step | (gathering & ~gathered);
        end
        fresh <= step;
        if (step) begin
          last_beat <= ${either('move_end', 'transaction_end')};
          last_transaction <= ${either('move_end', 'command_end')};
          burst_number <= dram_address[${dram - 1}:${burst}];
          from <= ${either(placed, `dram_address${range(burst)}`)};
          beat_bytes <= ${either('move_bytes', 'bytes')};
      `),
      ...(beat === 0
        ? []
        : [
            `    turn <= read_address${range(beat)} - (${either(`target_address${range(beat)}`, `dram_address${range(beat)}`)});`,
          ]),
      ...(parts === 0 ? [] : [`    part <= read_address[${whole - 1}:${beat}];`]),
      ...verilogLines(`
        end
      end

      // Gathering: the beat's bytes turned to their places in the burst, and merged with those before.
      `),
      `wire ${range(8 * beatBytes)} read_beat = ${parts === 0 ? 'output_read_data' : `output_read_data[part * ${8 * beatBytes} +: ${8 * beatBytes}]`};`,
      ...(beat === 0
        ? [`wire ${range(8)} turned = read_beat;`]
        : rotated('read_beat', beatBytes, 'turn', 'turned', beatBytes)),
      ...verilogLines(`
      wire ${range(count)} to = {1'b0, from} + beat_bytes;
      reg ${range(8 * burstBytes)} data;
      reg ${range(burstBytes)} strobes;
      wire ${range(burstBytes)} merge;
      genvar i;
      generate
        for (i = 0; i < ${burstBytes}; i = i + 1) begin : byte_lane
          assign merge[i] = fresh & (i >= from) & (i < to);
          assign write_data[i * 8 +: 8] = merge[i] ? turned[(i % ${beatBytes}) * 8 +: 8] : data[i * 8 +: 8];
        end
      endgenerate
      assign write_strobes = strobes | merge;
      assign write_address = {burst_number, ${burst}'d0};
      always @(posedge clk) begin
        data <= write_data;
        strobes <= (rst | issued${moves ? ' | to_chip' : ''}) ? ${burstBytes}'d0 : write_strobes;
      end

      // Acknowledgements, in the order of the transactions.
      reg ${range(place)} oldest_write, newest_write;
      wire ${range(moves ? 2 : 1)} oldest_write_is;
      order_memory order (
        .clk(clk),
        .read_address(oldest_write),
        .read_data(oldest_write_is),
        .write(${moves ? 'begun' : 'issued'}),
        .write_address(newest_write),
        .write_data(${moves ? '{move_starts, move_starts | last_transaction}' : 'last_transaction'})
      );
      `),
      ...(moves
        ? verilogLines(`
      // Moves that are in and not yet their turn.
      reg ${range(bitsFor(limit))} moves_in;
      wire is_move = oldest_write_is[1];
      wire move_answered = (under_way != ${literal(bitsFor(limit), 0)}) & is_move & (move_in | (moves_in != ${literal(bitsFor(limit), 0)}));
      always @(posedge clk)
        if (rst) moves_in <= ${literal(bitsFor(limit), 0)};
        else moves_in <= moves_in + ${bitsFor(limit) === 1 ? 'move_in' : `{${bitsFor(limit) - 1}'d0, move_in}`} - ${bitsFor(limit) === 1 ? 'move_answered' : `{${bitsFor(limit) - 1}'d0, move_answered}`};
      assign acknowledge_ready = ~is_move;
      assign answered = move_answered | ((under_way != ${literal(bitsFor(limit), 0)}) & ~is_move & acknowledge);
        `)
        : ["assign acknowledge_ready = 1'b1;", 'assign answered = acknowledge;']),
      ...verilogLines(`
      assign complete = answered & oldest_write_is[0];
      assign to_compute = complete & signals;
      wire learn = incomplete & (~known | complete);
      always @(posedge clk) begin
        if (rst) begin
          oldest_write <= ${literal(place, 0)};
          newest_write <= ${literal(place, 0)};
          known <= 1'b0;
        end else begin
          if (answered) oldest_write <= ${next('oldest_write')};
          if (${moves ? 'begun' : 'issued'}) newest_write <= ${next('newest_write')};
          if (learn) known <= 1'b1;
          else if (complete) known <= 1'b0;
        end
        if (learn) signals <= oldest${fieldSlice('store', 'signalCompute')};
      end

      wire unused = &{head, oldest, read_address${moves ? ', source_address, target_address, target' : ''}};
      `),
      ...(moves ? moveWriteLines(shape) : []),
    ],
  });
}
