/**
 * The read DMA engine in Verilog (docs/machine.md section 4). One half issues read transactions, one a cycle; the other walks the
 * same transfers beat by beat as their data come, and writes the buffers a cycle behind.
 */
import { bufferNames } from '../isa/formats.ts';
import { fieldSlice } from '../isa/verilog.ts';
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
import { rotated } from './rotate.ts';
import {
  type DmaShape,
  dramAddressBits,
  lowField,
  outstandingBits,
  tokenBits,
  type WordPort,
} from './shape.ts';

/** Ports that fill the buffers. */
export function fillPorts({ targets }: DmaShape): readonly Port[] {
  return targets.flatMap(({ name, wordBytes, unitBytes, word }): Port[] => [
    { direction: 'output', name: `${name}_write`, width: wordBytes / unitBytes },
    { direction: 'output', name: `${name}_write_word`, width: word },
    { direction: 'output', name: `${name}_write_data`, width: 8 * wordBytes },
  ]);
}

/** Tells the write engine to hold a move. */
const featureBusyPort: Port = {
  direction: 'output',
  name: 'feature_busy',
  meaning: 'the beat in hand goes to the feature buffer',
};

/** Ports towards the memory, of the engine and of the machine. */
export function readPorts({ burst, burstBytes }: DmaShape): readonly Port[] {
  return [
    { direction: 'output', name: 'read_valid', meaning: 'a read transaction' },
    { direction: 'output', name: 'read_address', width: 32, meaning: 'of its first byte' },
    {
      direction: 'output',
      name: 'read_bytes',
      width: burst + 1,
      meaning: `it crosses no multiple of ${burstBytes}`,
    },
    { direction: 'input', name: 'read_ready' },
    { direction: 'input', name: 'answer_valid', meaning: 'its data, in the order of the transactions' },
    {
      direction: 'input',
      name: 'answer_data',
      width: 8 * burstBytes,
      meaning: `byte a lies at a mod ${burstBytes}`,
    },
    { direction: 'output', name: 'answer_ready' },
  ];
}

/** Lines for a delay of `cycles` >= 1 between acceptance and the first transaction, `early` of them taken off. */
export function descriptorDelay(descriptorCycles: number, early: number): string[] {
  const cycles = descriptorCycles - 1 - early;
  if (cycles === 0) return ["wire decoded = 1'b1;"];
  const width = bitsFor(cycles);
  return verilogLines(`
  reg ${range(width)} decode_left;
  wire decoded = decode_left == ${literal(width, 0)};
  always @(posedge clk)
    if (take) decode_left <= ${literal(width, cycles)};
    else if (~decoded) decode_left <= decode_left - ${literal(width, 1)};
  `);
}

/** Lines that count the tokens of the compute unit and say whether there is one: \`has_token\`. */
export function tokenCounter(): string[] {
  return verilogLines(`
  reg ${range(tokenBits)} tokens;
  wire has_token = from_compute | (tokens != ${literal(tokenBits, 0)});
  always @(posedge clk)
    if (rst) tokens <= ${literal(tokenBits, 0)};
    else tokens <= tokens + {${tokenBits - 1}'d0, from_compute} - {${tokenBits - 1}'d0, take & waits};
  `);
}

/** Lines that count what is under way, `issued` (or another wire) and `answered`, and say whether one more is allowed. */
export function outstandingCounter(limit: number, issued = 'issued'): string[] {
  const width = outstandingBits(limit);
  const more = (wire: string): string => (width === 1 ? wire : `{${width - 1}'d0, ${wire}}`);
  return verilogLines(`
  reg ${range(width)} under_way;
  wire allowed = (under_way != ${literal(width, limit)}) | answered;
  always @(posedge clk)
    if (rst) under_way <= ${literal(width, 0)};
    else under_way <= under_way + ${more(issued)} - ${more('answered')};
  `);
}

export function loadDmaVerilog(shape: DmaShape): VerilogModule {
  const { burst, burstBytes, command, targets, wideBytes, address, size } = shape;
  const count = burst + 1;
  const dram = dramAddressBits;
  const signal = fieldSlice('load', 'signalCompute');
  const bufferCode = fieldSlice('load', 'buffer');
  const code = (name: WordPort['name']): string => `3'd${bufferNames.indexOf(name)}`;
  /** The buffer's room up to the end of a beat. */
  const roomOf = ({ beatBytes }: WordPort): string => {
    const bits = Math.log2(beatBytes);
    if (bits === 0) return literal(count, 1);
    return `${literal(count, beatBytes)} - {${count - bits}'d0, buffer_address${range(bits)}}`;
  };
  // Only the first byte of a value is asked.
  const spare = targets.flatMap(({ name, beatBytes }) => (beatBytes < wideBytes ? [`${name}_enables`] : []));
  const body: string[] = [
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

    // Acceptance, and the transactions of the transfer accepted last.
    reg issuing;
    wire waits = head${fieldSlice('load', 'waitCompute')};
    `),
    ...tokenCounter(),
    ...verilogLines(`
    assign take = waiting & ~issuing & (~waits | has_token);
    `),
    ...descriptorDelay(shape.descriptorCycles, 0),
    `wire ${range(dram)} new_address = ${lowField('head', 'dramAddress', dram)};`,
    `wire ${range(size)} new_stretch = ${lowField('head', 'stretchBytes', size)};`,
    ...verilogLines(`
    reg ${range(dram)} address, base, pitch;
    reg ${range(size)} stretch, left;
    reg ${range(size)} segments_left;
    wire answered = answer_valid & answer_ready;
    wire issued = read_valid & read_ready;
    `),
    ...outstandingCounter(shape.outstandingReads),
    ...verilogLines(`
    wire ${range(count)} room = ${literal(count, burstBytes)} - {1'b0, address${range(burst)}};
    wire stretch_end = left <= {${size - count}'d0, room};
    wire last = stretch_end & (segments_left == ${literal(size, 1)});
    wire ${range(dram)} next_base = base + pitch;
    assign read_valid = issuing & decoded & allowed;
    assign read_address = address;
    assign read_bytes = stretch_end ? left${range(count)} : room;
    always @(posedge clk) begin
      if (rst) issuing <= 1'b0;
      else if (take) issuing <= 1'b1;
      else if (issued & last) issuing <= 1'b0;
      if (take) begin
        address <= new_address;
        base <= new_address;
        pitch <= ${lowField('head', 'dramPitch', dram)};
        stretch <= new_stretch;
        left <= new_stretch;
        segments_left <= ${lowField('head', 'segments', size)};
      end else if (issued) begin
        if (stretch_end) begin
          address <= next_base;
          base <= next_base;
          left <= stretch;
          segments_left <= segments_left - ${literal(size, 1)};
        end else begin
          address <= {address[${dram - 1}:${burst}] + ${literal(dram - burst, 1)}, ${burst}'d0};
          left <= left - {${size - count}'d0, room};
        end
      end
    end

    // Data: the oldest transfer's beats, as answers come.
    reg filling, signals;
    reg [2:0] into;
    wire fill = filling & answer_valid;
    wire fill_start = incomplete & (~filling | complete);
    wire ${range(dram)} dram_address;
    wire ${range(address)} buffer_address;
    wire ${range(count)} beat_bytes;
    wire transaction_end, command_end;
    reg ${range(count)} beat_room;
    always @*
      case (into)
    `),
    ...targets
      .slice(1)
      .map((target) => `    ${code(target.name)}: beat_room = ${roomOf(target)}; // ${target.name}`),
    `    default: beat_room = ${roomOf(targets[0]!)}; // ${targets[0]!.name}`,
    ...verilogLines(`
      endcase
    beat_walker walker (
      .clk(clk),
      .start(fill_start),
      .command(oldest),
      .step(fill),
      .beat_room(beat_room),
      .dram_address(dram_address),
      .buffer_address(buffer_address),
      .bytes(beat_bytes),
      .transaction_end(transaction_end),
      .command_end(command_end)
    );
    assign answer_ready = filling & transaction_end;
    assign complete = fill & command_end;
    assign to_compute = complete & signals;
    always @(posedge clk) begin
      if (rst) filling <= 1'b0;
      else if (fill_start) filling <= 1'b1;
      else if (complete) filling <= 1'b0;
      if (fill_start) begin
        signals <= oldest${signal};
        into <= oldest${bufferCode};
      end
    end

    // The beat, turned to where it lies in a word of the buffer.
    `),
    ...turnLines(shape),
    ...verilogLines(`
    reg write_valid;
    reg [2:0] write_into;
    reg ${range(address)} write_address;
    reg ${range(8 * wideBytes)} write_bytes;
    reg ${range(wideBytes)} write_enables;
    always @(posedge clk) begin
      write_valid <= fill & ~rst;
      write_into <= into;
      write_address <= buffer_address;
      write_bytes <= turned;
      write_enables <= enables;
    end
    `),
    ...targets.flatMap((target) => targetLines(target, wideBytes, code(target.name))),
    ...(shape.moves ? [`assign feature_busy = fill & (into == ${code('feature')});`] : []),
    `wire unused = &{dram_address, head, write_address, ${['write_enables', ...spare].join(', ')}};`,
  ];
  return verilogModule({
    name: 'load_dma',
    about: [
      `Read DMA engine: transfers from DRAM into the buffers. At most ${shape.outstandingReads} transactions of at most ${burstBytes}`,
      'bytes are under way. Answers come in the order of the transactions and wait until their last beat is',
      "taken; `complete` and the token for the compute unit are in the cycle of a transfer's last beat.",
    ],
    ports: [
      clockPort,
      resetPort,
      { direction: 'input', name: 'command_valid' },
      { direction: 'input', name: 'command', width: command, meaning: 'load' },
      { direction: 'output', name: 'command_ready' },
      { direction: 'output', name: 'idle' },
      { direction: 'input', name: 'from_compute', meaning: 'token: a slot is free' },
      { direction: 'output', name: 'to_compute', meaning: 'token: operands are in' },
      ...readPorts(shape),
      ...fillPorts(shape),
      ...(shape.moves ? [featureBusyPort] : []),
    ],
    body,
  });
}

/** `turned` and `enables`: the beat's bytes where they lie in an aligned piece of the buffer as wide as the widest beat. */
function turnLines({ burst, burstBytes, wideBytes }: DmaShape): string[] {
  const wide = Math.log2(wideBytes);
  const count = burst + 1;
  const lane =
    wide === 0
      ? `${burst}'d0`
      : wide === burst
        ? `buffer_address${range(wide)}`
        : `{${burst - wide}'d0, buffer_address${range(wide)}}`;
  return [
    `wire ${range(burst)} turn = dram_address${range(burst)} - ${lane};`,
    ...rotated('answer_data', burstBytes, 'turn', 'turned', wideBytes),
    `wire ${range(count)} from = ${wide === 0 ? literal(count, 0) : `{${count - wide}'d0, buffer_address${range(wide)}}`};`,
    `wire ${range(count)} to = from + beat_bytes;`,
    `wire ${range(wideBytes)} enables;`,
    'genvar i;',
    'generate',
    `  for (i = 0; i < ${wideBytes}; i = i + 1) begin : enable`,
    '    assign enables[i] = (i >= from) & (i < to);',
    '  end',
    'endgenerate',
  ];
}

/** What a buffer's port gets of the beat in the write registers. */
function targetLines(
  { name, unitBytes, wordBytes, beatBytes, word }: WordPort,
  wideBytes: number,
  code: string,
): string[] {
  const beat = Math.log2(beatBytes);
  const wide = Math.log2(wideBytes);
  const whole = Math.log2(wordBytes);
  const lines: string[] = [];
  let data = 'write_bytes';
  let enables = 'write_enables';
  if (beat < wide) {
    // The part of the widest beat in which this buffer's lies.
    const part = `write_address[${wide - 1}:${beat}]`;
    data = `${name}_bytes`;
    enables = `${name}_enables`;
    lines.push(
      `wire ${range(8 * beatBytes)} ${data} = write_bytes[${part} * ${8 * beatBytes} +: ${8 * beatBytes}];`,
      `wire ${range(beatBytes)} ${enables} = write_enables[${part} * ${beatBytes} +: ${beatBytes}];`,
    );
  }
  lines.push(
    `wire to_${name} = write_valid & (write_into == ${code});`,
    `assign ${name}_write_word = write_address[${whole + word - 1}:${whole}];`,
    `assign ${name}_write_data = ${beat === whole ? data : `{${wordBytes / beatBytes}{${data}}}`};`,
  );
  for (let unit = 0; unit < wordBytes / unitBytes; unit++) {
    const byte = unit * unitBytes;
    const enable = beatBytes === 1 ? enables : `${enables}[${byte % beatBytes}]`;
    const part =
      beat === whole
        ? ''
        : ` & (write_address[${whole - 1}:${beat}] == ${literal(whole - beat, Math.floor(byte / beatBytes))})`;
    lines.push(
      `assign ${name}_write${wordBytes === unitBytes ? '' : `[${unit}]`} = to_${name} & ${enable}${part};`,
    );
  }
  return lines;
}
