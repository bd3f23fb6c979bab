/** A slice of `npm run fuzz`: every reader ends in a value or one line, whatever the file. */
import { describe, expect, it } from 'vitest';
import { fuzzedFormats } from './formats.test-helper.ts';
import { Fuzzer } from './harness.test-helper.ts';

describe('damaged files', () => {
  it.each(Object.keys(fuzzedFormats))('%s: undamaged ones are read', async (name) => {
    const { seeds, read } = fuzzedFormats[name]!();
    for (const seed of seeds) await read(Uint8Array.from(seed));
  });

  it('a file is the same whatever was read before it', async () => {
    const [one, other] = [new Fuzzer('onnx', 1), new Fuzzer('onnx', 1)];
    for (let index = 0; index < 40; index++) await one.run(index);
    for (const index of [3, 17, 39]) expect(one.file(index)).toEqual(other.file(index));
  });

  it.each(Object.keys(fuzzedFormats))('%s: 150 of them', async (name) => {
    const fuzzer = new Fuzzer(name, 1);
    for (let index = 0; index < 150; index++) await fuzzer.run(index);
    // Damage that nobody notices and damage that everybody refuses would both test little.
    expect(fuzzer.result.read + fuzzer.result.refused).toBe(150);
    expect(fuzzer.result.refused).toBeGreaterThan(15);
    expect(fuzzer.result.read).toBeGreaterThan(0);
  });
});
