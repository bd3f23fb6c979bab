/**
 * The write DMA engine in Verilog (docs/machine.md section 4): reads the output buffer beat by beat, gathers a transaction's
 * bytes, and issues it with the last of them.
 */
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
import { rotated } from './rotate.ts';
import { type DmaShape, transferBits } from './shape.ts';

/** Ports towards the memory, of the engine and of the machine. */
export function writePorts({ burstBytes }: DmaShape): readonly Port[] {
  return [
    { direction: 'output', name: 'write_valid', meaning: 'a write transaction' },
    { direction: 'output', name: 'write_address', width: 32, meaning: `a multiple of ${burstBytes}` },
    { direction: 'output', name: 'write_data', width: 8 * burstBytes },
    { direction: 'output', name: 'write_strobes', width: burstBytes, meaning: 'one a byte' },
    { direction: 'input', name: 'write_ready' },
    { direction: 'input', name: 'acknowledge', meaning: 'the oldest write is done; at most one a cycle' },
  ];
}

/** The engine, and the memory that knows which transactions are the last of a transfer. */
export function storeDmaModules(shape: DmaShape): readonly CountedModule[] {
  const { outstandingWrites: limit } = shape;
  const place = bitsFor(limit - 1);
  const order = verilogModule({
    name: 'order_memory',
    about: ['For each write under way: whether it is the last of its transfer. Read without a clock.'],
    memoryBits: limit,
    ports: [
      clockPort,
      { direction: 'input', name: 'read_address', width: place },
      { direction: 'output', name: 'read_data' },
      { direction: 'input', name: 'write' },
      { direction: 'input', name: 'write_address', width: place },
      { direction: 'input', name: 'write_data' },
    ],
    body: verilogLines(`
    reg last [0:${limit - 1}];
    assign read_data = last[read_address];
    always @(posedge clk)
      if (write) last[write_address] <= write_data;
    `),
  });
  return [
    { ...storeDmaVerilog(shape), count: 1 },
    { ...order, count: 1 },
  ];
}

function storeDmaVerilog(shape: DmaShape): VerilogModule {
  const { burst, burstBytes, command, output, outstandingWrites: limit } = shape;
  const { beatBytes, wordBytes, word } = output;
  const count = burst + 1;
  const dram = transferBits('dramAddress');
  const buffer = transferBits('bufferAddress');
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
      wire ${range(buffer)} buffer_address;
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
      assign output_read_word = buffer_address[${whole + word - 1}:${whole}];

      // The beat that is merged in this cycle; it stays, without being merged again, until its transaction goes.
      reg fresh, last_beat, last_transaction;
      reg ${range(dram - burst)} burst_number;
      reg ${range(burst)} from;
      reg ${range(count)} beat_bytes;
      ${beat === 0 ? '' : `reg ${range(beat)} turn;`}
      ${parts === 0 ? '' : `reg ${range(parts)} part;`}
      wire issued = write_valid & write_ready;
      wire last_issued = issued & last_transaction;
      wire answered = acknowledge;
      `).filter((line) => line.trim() !== '' || line === ''),
      ...outstandingCounter(limit),
      ...verilogLines(`
      assign write_valid = gathering & last_beat & allowed;
      assign gathered = gathering & (~last_beat | issued);
      always @(posedge clk) begin
        if (rst) begin
          active <= 1'b0;
          reading <= 1'b0;
          gathering <= 1'b0;
        end else begin
          if (take) active <= 1'b1;
          else if (last_issued) active <= 1'b0;
          if (take) reading <= 1'b1;
          else if (step & command_end) reading <= 1'b0;
          gathering <= step | (gathering & ~gathered);
        end
        fresh <= step;
        if (step) begin
          last_beat <= transaction_end;
          last_transaction <= command_end;
          burst_number <= dram_address[${dram - 1}:${burst}];
          from <= dram_address${range(burst)};
          beat_bytes <= bytes;
      `),
      ...(beat === 0 ? [] : [`    turn <= buffer_address${range(beat)} - dram_address${range(beat)};`]),
      ...(parts === 0 ? [] : [`    part <= buffer_address[${whole - 1}:${beat}];`]),
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
        strobes <= (rst | issued) ? ${burstBytes}'d0 : write_strobes;
      end

      // Acknowledgements, in the order of the transactions.
      reg ${range(place)} oldest_write, newest_write;
      wire oldest_is_last;
      order_memory order (
        .clk(clk),
        .read_address(oldest_write),
        .read_data(oldest_is_last),
        .write(issued),
        .write_address(newest_write),
        .write_data(last_transaction)
      );
      assign complete = acknowledge & oldest_is_last;
      assign to_compute = complete & signals;
      wire learn = incomplete & (~known | complete);
      always @(posedge clk) begin
        if (rst) begin
          oldest_write <= ${literal(place, 0)};
          newest_write <= ${literal(place, 0)};
          known <= 1'b0;
        end else begin
          if (acknowledge) oldest_write <= ${next('oldest_write')};
          if (issued) newest_write <= ${next('newest_write')};
          if (learn) known <= 1'b1;
          else if (complete) known <= 1'b0;
        end
        if (learn) signals <= oldest${fieldSlice('store', 'signalCompute')};
      end

      wire unused = &{head, oldest, buffer_address};
      `),
    ],
  });
}
