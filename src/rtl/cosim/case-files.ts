/** A case as the files that the testbench in Verilog reads, and what it says afterwards. */
import { assert } from '../../core/diagnostics.ts';
import { computeShape } from '../../hw/compute/shape.ts';
import { commandBits } from '../../hw/isa/verilog.ts';
import { benchRoom } from './bench-verilog.ts';
import { type CosimCase, type CosimResult, loadedBuffers, tokensGiven } from './case.ts';
import { commandWords } from './command-words.ts';
import { bankings, bufferValues } from './images.ts';

/** 32-bit numbers, one a line. */
export const hexLines = (values: readonly number[]): string =>
  values.map((value) => `${(value >>> 0).toString(16)}\n`).join('');

/**
 * Text files by name, all of them `$readmemh`'s.
 * @param expected what the simulator saw
 * @param limit cycles after which the testbench gives up
 */
export function caseFiles(
  cosimCase: CosimCase,
  expected: CosimResult,
  limit: number,
): Record<string, string> {
  const { machine, commands, arrivals, fromLoad, fromStore } = cosimCase;
  const lists = { arrivals, from_load: fromLoad, from_store: fromStore, ...expectedTokens(expected) };
  for (const [name, list] of Object.entries(lists)) {
    assert(list.length <= benchRoom, `${cosimCase.name}: ${list.length} entries in ${name}`);
  }
  const given = tokensGiven(cosimCase);
  const counts = [commands.length, fromLoad.length, fromStore.length, given.toLoad, given.toStore, limit];
  const files: Record<string, string> = {
    'counts.hex': hexLines(counts),
    'commands.hex': commandWords(commands)
      .map((words) => `${hexWord(words, Math.max(commandBits('compute'), commandBits('postProcess')))}\n`)
      .join(''),
    'output.hex': hexLines(outputValues(cosimCase, expected.output)),
  };
  for (const [name, list] of Object.entries(lists)) files[`${name}.hex`] = hexLines(list);
  for (const name of loadedBuffers) {
    const banking = bankings({ machine })[name];
    if (banking === undefined) continue;
    const values = bufferValues(cosimCase.buffers[name], banking);
    // Beyond the buffer's bytes the banks hold zeros.
    while (values.length < banking.banks * banking.depth) values.push(0);
    files[`${name}.hex`] = hexLines(values);
  }
  return files;
}

function expectedTokens({ toLoad, toStore }: CosimResult): Record<string, readonly number[]> {
  return { to_load: toLoad, to_store: toStore };
}

/** The low `bits` of a word given as 32-bit parts, lowest first. */
export function hexWord(words: Uint32Array, bits: number): string {
  let value = 0n;
  words.forEach((word, index) => {
    value |= BigInt(word) << BigInt(32 * index);
  });
  return BigInt.asUintN(bits, value).toString(16);
}

function outputValues({ machine }: CosimCase, output: Uint8Array): number[] {
  const { output: buffer } = computeShape(machine);
  return bufferValues(output, { banks: 1, size: buffer.bits / 8, depth: buffer.values, memory: () => '' });
}

/**
 * What the testbench saw.
 * @param printed its standard output
 * @param seen its file `seen.hex`
 */
export function readBench(cosimCase: CosimCase, printed: string, seen: string): CosimResult {
  const { machine } = cosimCase;
  const cycles = (token: string): number[] =>
    [...printed.matchAll(new RegExp(`^${token} (-?\\d+)$`, 'gm'))].map((match) => Number(match[1]));
  const output = new Uint8Array(machine.buffers.output.bytes);
  const { output: buffer } = computeShape(machine);
  const size = buffer.bits / 8;
  // Lines of numbers; Icarus adds addresses as comments, Verilator as @ lines.
  const values = seen
    .replace(/\/\/.*$/gm, '')
    .split(/\s+/)
    .filter((word) => /^[0-9a-fxz]+$/i.test(word));
  for (let value = 0; value < buffer.values; value++) {
    const word = Number.parseInt(values[value] ?? '0', 16);
    for (let byte = 0; byte < size; byte++) output[value * size + byte] = word >> (8 * byte);
  }
  return { toLoad: cycles('to_load'), toStore: cycles('to_store'), output };
}
