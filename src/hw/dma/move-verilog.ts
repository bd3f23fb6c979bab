/**
 * Moves in Verilog: finished maps from the output buffer into the feature buffer. They go through the write engine in order with its stores and share
 * its gathering stage; this is where the next beat lies, and what a beat does to the feature buffer.
 */
import { clockPort, literal, range, type VerilogModule, verilogLines, verilogModule } from '../verilog.ts';
import { type DmaShape, lowField } from './shape.ts';

export function moveWalkerVerilog({
  burst,
  command,
  address,
  size,
  output,
  targets,
}: DmaShape): VerilogModule {
  const count = burst + 1;
  const roomOf = (name: string, beatBytes: number): string => {
    const bits = Math.log2(beatBytes);
    return bits === 0
      ? literal(count, 1)
      : `${literal(count, beatBytes)} - {${count - bits}'d0, ${name}${range(bits)}}`;
  };
  const field = (name: Parameters<typeof lowField<'move'>>[1], bits: number): string =>
    lowField<'move'>('command', name, bits, 'move');
  const wide = (width: number): string => `{${width - count}'d0, bytes}`;
  const lines = (side: 'source' | 'target'): { start: string[]; segment: string[]; run: string[] } => ({
    start: [
      `${side} <= ${field(`${side}Address`, address)};`,
      `${side}_run <= ${field(`${side}Address`, address)};`,
      `${side}_segment <= ${field(`${side}Address`, address)};`,
      `${side}_run_pitch <= ${field(`${side}RunPitch`, address)};`,
      `${side}_segment_pitch <= ${field(`${side}SegmentPitch`, address)};`,
    ],
    segment: [
      `${side} <= ${side}_segment + ${side}_segment_pitch;`,
      `${side}_run <= ${side}_segment + ${side}_segment_pitch;`,
      `${side}_segment <= ${side}_segment + ${side}_segment_pitch;`,
    ],
    run: [`${side} <= ${side}_run + ${side}_run_pitch;`, `${side}_run <= ${side}_run + ${side}_run_pitch;`],
  });
  const [source, target] = [lines('source'), lines('target')];
  const indented = (list: readonly string[], by: number): string[] =>
    list.map((line) => `${' '.repeat(by)}${line}`);
  return verilogModule({
    name: 'move_walker',
    about: [
      'Move walker: takes a move apart into beats. A beat ends with its piece, and with a word of either',
      'buffer.',
    ],
    ports: [
      clockPort,
      { direction: 'input', name: 'start', meaning: 'take over `command`' },
      { direction: 'input', name: 'command', width: command },
      { direction: 'input', name: 'step', meaning: 'the beat is done' },
      { direction: 'output', name: 'source', width: address, reg: true, meaning: 'in the output buffer' },
      { direction: 'output', name: 'target', width: address, reg: true, meaning: 'in the feature buffer' },
      { direction: 'output', name: 'bytes', width: count },
      { direction: 'output', name: 'command_end' },
    ],
    body: [
      ...verilogLines(`
      reg ${range(address)} source_run, source_segment, source_run_pitch, source_segment_pitch;
      reg ${range(address)} target_run, target_segment, target_run_pitch, target_segment_pitch;
      reg ${range(size)} run_bytes, run_left, runs, runs_left, segments_left;
      wire ${range(count)} source_room = ${roomOf('source', output.beatBytes)};
      wire ${range(count)} target_room = ${roomOf('target', targets[0]!.beatBytes)};
      wire ${range(count)} room = (source_room < target_room) ? source_room : target_room;
      wire run_end = run_left <= {${size - count}'d0, room};
      assign bytes = run_end ? run_left${range(count)} : room;
      wire segment_end = run_end & (runs_left == ${literal(size, 1)});
      assign command_end = segment_end & (segments_left == ${literal(size, 1)});
      always @(posedge clk)
        if (start) begin
          run_bytes <= ${field('runBytes', size)};
          run_left <= ${field('runBytes', size)};
          runs <= ${field('runs', size)};
          runs_left <= ${field('runs', size)};
          segments_left <= ${field('segments', size)};
      `),
      ...indented([...source.start, ...target.start], 4),
      '  end else if (step) begin',
      '    if (segment_end) begin',
      '      run_left <= run_bytes;',
      '      runs_left <= runs;',
      `      segments_left <= segments_left - ${literal(size, 1)};`,
      ...indented([...source.segment, ...target.segment], 6),
      '    end else if (run_end) begin',
      '      run_left <= run_bytes;',
      `      runs_left <= runs_left - ${literal(size, 1)};`,
      ...indented([...source.run, ...target.run], 6),
      '    end else begin',
      `      run_left <= run_left - ${wide(size)};`,
      `      source <= source + ${wide(address)};`,
      `      target <= target + ${wide(address)};`,
      '    end',
      '  end',
      '',
      'wire unused = &command;',
    ],
  });
}

/** Lines that write a beat of a move into the feature buffer, a cycle behind `moved_beat`, and know when a move is done. */
export function moveWriteLines({ burst, output, targets, address, burstBytes }: DmaShape): string[] {
  const { beatBytes, wordBytes, unitBytes, word } = targets[0]!;
  const beat = Math.log2(beatBytes);
  const whole = Math.log2(wordBytes);
  const count = burst + 1;
  // The gathering stage lays a beat out as wide as the wider of both buffers' beats.
  const laid = Math.log2(Math.max(beatBytes, output.beatBytes));
  const part = laid > beat ? `target[${laid - 1}:${beat}] * ${8 * beatBytes}` : '0';
  const first = beat === 0 ? literal(count, 0) : `{${count - beat}'d0, target${range(beat)}}`;
  const data =
    8 * beatBytes === 8 * burstBytes && part === '0'
      ? 'write_data'
      : `write_data[${part} +: ${8 * beatBytes}]`;
  const units = Array.from({ length: wordBytes / unitBytes }, (_, unit) => {
    const byte = unit * unitBytes;
    const place = literal(count, byte % beatBytes);
    const inside = `(${place} >= move_from) & (${place} < move_to)`;
    const chosen =
      beat === whole
        ? ''
        : ` & (move_target[${whole - 1}:${beat}] == ${literal(whole - beat, Math.floor(byte / beatBytes))})`;
    return `assign move_write${wordBytes === unitBytes ? '' : `[${unit}]`} = move_valid & ${inside}${chosen};`;
  });
  return [
    ...verilogLines(`
    // A beat of a move enters the feature buffer a cycle behind its merging.
    reg move_valid;
    reg ${range(address)} move_target;
    reg ${range(8 * beatBytes)} move_beat;
    reg ${range(count)} move_from, move_to;
    reg move_last, move_in;
    always @(posedge clk) begin
      move_valid <= moved_beat & ~rst;
      move_last <= moved_beat & last_transaction & ~rst;
      move_in <= move_last & ~rst;
      move_target <= target;
      move_beat <= ${data};
      move_from <= ${first};
      move_to <= (${first}) + beat_bytes;
    end
    assign move_write_word = move_target[${whole + word - 1}:${whole}];
    assign move_write_data = ${beat === whole ? 'move_beat' : `{${wordBytes / beatBytes}{move_beat}}`};
    wire unused_target = &move_target;
    `),
    ...units,
  ];
}
