/**
 * The beat walker in Verilog: where in DRAM and in the buffer the next beat of a transfer lies. The read engine walks it
 * as answers come in, the write engine as it gathers data.
 */
import { clockPort, literal, range, type VerilogModule, verilogLines, verilogModule } from '../verilog.ts';
import { type DmaShape, dramAddressBits, lowField } from './shape.ts';

export function beatWalkerVerilog({ burst, burstBytes, command, address, size }: DmaShape): VerilogModule {
  const count = burst + 1;
  const dram = dramAddressBits;
  const wideBytes = (width: number): string => `{${width - count}'d0, bytes}`;
  return verilogModule({
    name: 'beat_walker',
    about: [
      'Beat walker: takes a transfer apart into beats. A beat ends with its run, with a word of the buffer',
      `(\`beat_room\` bytes on), and at a multiple of ${burstBytes} bytes in DRAM. No products: bases move along by pitches.`,
    ],
    ports: [
      clockPort,
      { direction: 'input', name: 'start', meaning: 'take over `command`' },
      { direction: 'input', name: 'command', width: command },
      { direction: 'input', name: 'step', meaning: 'the beat is done' },
      { direction: 'input', name: 'beat_room', width: count },
      { direction: 'output', name: 'dram_address', width: dram, reg: true },
      { direction: 'output', name: 'buffer_address', width: address, reg: true },
      { direction: 'output', name: 'bytes', width: count },
      { direction: 'output', name: 'transaction_end', meaning: 'last beat of a transaction' },
      { direction: 'output', name: 'command_end' },
    ],
    body: [
      `wire ${range(dram)} new_dram_address = ${lowField('command', 'dramAddress', dram)};`,
      `wire ${range(address)} new_buffer_address = ${lowField('command', 'bufferAddress', address)};`,
      `wire ${range(size)} new_run_bytes = ${lowField('command', 'runBytes', size)};`,
      `wire ${range(size)} new_further = ${lowField('command', 'stretchBytes', size)} - new_run_bytes;`,
      ...verilogLines(`
      reg ${range(dram)} dram_pitch, dram_base;
      reg ${range(address)} segment_pitch, run_pitch, segment_base, run_base;
      reg ${range(size)} run_bytes, run_left;
      // Bytes of the stretch behind its first run, and behind the present one.
      reg ${range(size)} further_runs, behind;
      reg ${range(size)} segments_left;

      wire ${range(count)} burst_room = ${literal(count, burstBytes)} - {1'b0, dram_address${range(burst)}};
      wire ${range(count)} room = (burst_room < beat_room) ? burst_room : beat_room;
      wire run_end = run_left <= {${size - count}'d0, room};
      assign bytes = run_end ? run_left${range(count)} : room;
      wire stretch_end = run_end & (behind == ${literal(size, 0)});
      assign transaction_end = stretch_end | (bytes == burst_room);
      assign command_end = stretch_end & (segments_left == ${literal(size, 1)});

      wire ${range(dram)} next_dram = dram_base + dram_pitch;
      wire ${range(address)} next_segment = segment_base + segment_pitch;
      wire ${range(address)} next_run = run_base + run_pitch;
      always @(posedge clk)
        if (start) begin
          dram_pitch <= ${lowField('command', 'dramPitch', dram)};
          dram_base <= new_dram_address;
          dram_address <= new_dram_address;
          segment_pitch <= ${lowField('command', 'bufferSegmentPitch', address)};
          segment_base <= new_buffer_address;
          run_pitch <= ${lowField('command', 'bufferRunPitch', address)};
          run_base <= new_buffer_address;
          buffer_address <= new_buffer_address;
          run_bytes <= new_run_bytes;
          run_left <= new_run_bytes;
          further_runs <= new_further;
          behind <= new_further;
          segments_left <= ${lowField('command', 'segments', size)};
        end else if (step) begin
          if (stretch_end) begin
            dram_base <= next_dram;
            dram_address <= next_dram;
            segment_base <= next_segment;
            run_base <= next_segment;
            buffer_address <= next_segment;
            run_left <= run_bytes;
            behind <= further_runs;
            segments_left <= segments_left - ${literal(size, 1)};
          end else begin
            dram_address <= dram_address + ${wideBytes(dram)};
            if (run_end) begin
              run_base <= next_run;
              buffer_address <= next_run;
              run_left <= run_bytes;
              behind <= behind - run_bytes;
            end else begin
              buffer_address <= buffer_address + ${wideBytes(address)};
              run_left <= run_left - ${wideBytes(size)};
            end
          end
        end

      wire unused = &command;
      `),
    ],
  });
}
