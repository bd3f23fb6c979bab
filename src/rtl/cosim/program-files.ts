/** A program as the files that its testbench in Verilog reads, and what the testbench says afterwards. */
import { assert } from '../../core/diagnostics.ts';
import { ceilDiv } from '../../core/integers.ts';
import { acceleratorCommandBits, tokenNames } from '../../hw/machine/verilog.ts';
import { hexLines, hexWord } from './case-files.ts';
import { commandWords } from './command-words.ts';
import { programRoom } from './program-bench-verilog.ts';
import { type AnswerDelays, emptyResult, type ProgramCase, type ProgramResult } from './program-case.ts';

/**
 * Text files by name, all of them `$readmemh`'s.
 * @param expected what the simulator saw
 * @param limit cycles after which the testbench gives up
 */
export function programFiles(
  programCase: ProgramCase,
  expected: ProgramResult,
  delays: AnswerDelays,
  limit: number,
): Record<string, string> {
  const { machine, commands, dram, name } = programCase;
  const { burstBytes } = machine.dma;
  const bursts = ceilDiv(dram.length, burstBytes);
  const { barriers } = expected;
  const { reads, writes } = delays;
  for (const [what, has, room] of [
    ['commands', commands.length, programRoom.commands],
    ['reads', reads.length, programRoom.transactions],
    ['writes', writes.length, programRoom.transactions],
    ['barriers', barriers.length, programRoom.barriers],
    ['bursts', bursts, programRoom.bursts],
  ] as const) {
    assert(has <= room, `${name}: ${has} ${what}, the testbench takes ${room}`);
  }
  return {
    'counts.hex': hexLines([commands.length, barriers.length, reads.length, writes.length, bursts, limit]),
    'commands.hex': commandWords(commands)
      .map((words) => `${hexWord(words, acceleratorCommandBits())}\n`)
      .join(''),
    'read_delays.hex': hexLines(reads),
    'write_delays.hex': hexLines(writes),
    'barriers.hex': hexLines(barriers),
    'dram.hex': burstLines(dram, burstBytes),
    'expected.hex': burstLines(expected.dram, burstBytes),
  };
}

/** Bytes as words of a burst, the first byte lowest. */
function burstLines(bytes: Uint8Array, burstBytes: number): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += burstBytes) {
    const burst = Buffer.alloc(burstBytes);
    burst.set(bytes.subarray(at, at + burstBytes));
    lines.push(`${burst.reverse().toString('hex')}\n`);
  }
  return lines.join('');
}

/**
 * What the testbench saw.
 * @param printed its standard output
 * @param seen its file `seen.hex`
 */
export function readProgramBench(
  { machine, dram: initial }: ProgramCase,
  printed: string,
  seen: string,
): ProgramResult {
  const { burstBytes } = machine.dma;
  const dram = new Uint8Array(ceilDiv(initial.length, burstBytes) * burstBytes);
  // Lines of bursts; Icarus adds addresses as comments, Verilator as @ lines.
  seen
    .replace(/\/\/.*$/gm, '')
    .split(/\s+/)
    .filter((word) => /^[0-9a-fxz]+$/i.test(word))
    .forEach((word, burst) => {
      const bytes = Buffer.from(word.padStart(2 * burstBytes, '0').replace(/[xz]/gi, '0'), 'hex');
      dram.set(bytes.reverse().subarray(0, dram.length - burst * burstBytes), burst * burstBytes);
    });
  const result = emptyResult(dram.subarray(0, initial.length));
  for (const [, what, ...words] of printed.matchAll(
    /^(read|write|tokens|barrier) (-?\d+)(?: (\d+))?(?: ([0-9a-fxz]+))?$/gm,
  )) {
    const cycle = Number(words[0]);
    if (what === 'read') result.reads.push(`${cycle}: ${words[1]} + ${Number(words[2])}`);
    if (what === 'barrier') result.barriers.push(cycle);
    if (what === 'write') {
      const strobes = BigInt(`0x${words[2]}`).toString(2);
      const first = strobes.length - 1 - strobes.lastIndexOf('1');
      const bytes = strobes.replaceAll('0', '').length;
      result.writes.push(`${cycle}: ${Number(words[1]) + first} + ${bytes}`);
    }
    if (what === 'tokens') {
      tokenNames.forEach((name, bit) => {
        if (((Number(words[1]) >>> bit) & 1) === 1) result.tokens[name].push(cycle);
      });
    }
  }
  return result;
}
