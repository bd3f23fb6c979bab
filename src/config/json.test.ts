import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { InputError } from '../core/diagnostics.ts';
import { parseJson } from './json.ts';

const anything = z.unknown();

describe('parseJson', () => {
  it('reads what JSON.parse reads', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), fc.constantFrom(0, 2, '\t'), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent);
        expect(JSON.stringify(parseJson(text, 'm.json', anything).value)).toBe(
          JSON.stringify(JSON.parse(text)),
        );
      }),
      { numRuns: 500, seed: 1 },
    );
  });

  it('refuses what JSON.parse refuses, in one line', () => {
    const marks = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"b"',
      '1',
      '01',
      '-',
      '1e',
      'true',
      'nul',
      ' ',
      '\n',
      "'",
    );
    fc.assert(
      fc.property(
        fc.array(marks, { maxLength: 9 }).map((parts) => parts.join('')),
        (text) => {
          let reference = true;
          try {
            JSON.parse(text);
          } catch {
            reference = false;
          }
          try {
            parseJson(text, 'm.json', anything);
            expect(reference).toBe(true);
          } catch (error) {
            expect(error).toBeInstanceOf(InputError);
            expect((error as Error).message).toMatch(/^m\.json:\d+:\d+: .+$/);
            if (!(error as Error).message.includes('twice')) expect(reference).toBe(false);
          }
        },
      ),
      { numRuns: 3000, seed: 1 },
    );
  });

  it.each([
    ['', '1:1: not valid JSON: the file ends here, expected a value'],
    ['{\n  "a": 1,\n}', "3:1: not valid JSON: '}' stands here, expected a key in double quotes"],
    ['[1 2]', "1:4: not valid JSON: '2' stands here, expected ',' or ']'"],
    ['{"a": 1, "a": 2}', "1:10: key 'a' is here twice, expected it once"],
    ['1 1', "1:3: not valid JSON: '1' stands here, expected the end of the file"],
    ['['.repeat(100_000), "1:66: not valid JSON: '[' stands here, expected at most 64 levels"],
  ])('refuses %.20j', (text, message) => {
    expect(() => parseJson(text, 'm.json', anything)).toThrow(`m.json:${message}`);
  });

  it('knows where values stand', () => {
    const { positionOf } = parseJson('[\n {"a": [1,\n2]}]', 'm.json', anything);
    expect(positionOf([0, 'a', 1])).toEqual({ file: 'm.json', line: 3, column: 1 });
  });
});
