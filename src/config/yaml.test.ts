import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { InputError } from '../core/diagnostics.ts';
import { parseYaml } from './yaml.ts';

const schema = z.strictObject({
  ports: z.int().min(1).max(4),
  kind: z.enum(['ideal', 'ddr4']).default('ideal'),
  padding: z.union([z.int().min(0), z.enum(['same', 'valid']), z.strictObject({ top: z.int() })]).optional(),
  layers: z
    .array(
      z.discriminatedUnion('op', [
        z.strictObject({ op: z.literal('convolution'), kernel: z.int() }),
        z.strictObject({ op: z.literal('relu') }),
      ]),
    )
    .max(3)
    .optional(),
  pair: z.tuple([z.number(), z.number()]).optional(),
});

function refusal(text: string): string {
  try {
    parseYaml(text, 'm.yaml', schema);
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    return (error as InputError).message;
  }
  throw new Error('was not refused');
}

describe('parseYaml', () => {
  it('fills defaults in and knows where things stand', () => {
    const { value, positionOf } = parseYaml('# c\nports: 2\nlayers:\n  - { op: relu }\n', 'm.yaml', schema);
    expect(value).toEqual({ ports: 2, kind: 'ideal', layers: [{ op: 'relu' }] });
    expect(positionOf(['ports'])).toEqual({ file: 'm.yaml', line: 2, column: 8 });
    expect(positionOf(['layers', 0, 'op'])).toEqual({ file: 'm.yaml', line: 4, column: 11 });
    expect(positionOf(['layers', 0, 'nothing'])).toEqual({ file: 'm.yaml', line: 4, column: 5 });
  });

  it('repeats anchors', () => {
    const { value, positionOf } = parseYaml('ports: &p 2\npair: [*p, *p]', 'm.yaml', schema);
    expect(value.pair).toEqual([2, 2]);
    expect(positionOf(['pair', 1]).line).toBe(1);
  });

  it('reads files with Windows line ends and a byte order mark', () => {
    expect(parseYaml('\ufeffports: 2\r\nkind: ddr4\r\n', 'm.yaml', schema).value.kind).toBe('ddr4');
  });

  it.each([
    ['', '1:1: expected a map, got nothing'],
    ['- 1', '1:1: expected a map, got a list'],
    ['{}', "1:1: missing key 'ports', expected a number"],
    ['ports:', '1:1: ports: expected a number, got nothing'],
    ['ports: abc', "1:8: ports: expected a number, got a string 'abc'"],
    ['ports: 1.5', '1:8: ports: expected an integer, got 1.5'],
    ['ports: .nan', '1:8: ports: expected a number, got NaN'],
    ['ports: 9', '1:8: ports: expected at most 4, got 9'],
    [
      'prots: 1',
      "1:1: unknown key 'prots', expected one of ports, kind, padding, layers, pair; did you mean 'ports'?",
    ],
    [
      'ports: 1\n__proto__: {a: 1}',
      "2:1: unknown key '__proto__', expected one of ports, kind, padding, layers, pair",
    ],
    ['"a\\nb": 1', "1:1: unknown key 'a\\nb', expected one of ports, kind, padding, layers, pair"],
    [
      'kind: idael\nports: x',
      "1:7: kind: expected one of ideal, ddr4, got a string 'idael'; did you mean 'ideal'?",
    ],
    ['ports: 1\npadding: -1', '2:10: padding: expected at least 0, got -1'],
    ['ports: 1\npadding: {topp: 1}', "2:11: unknown key 'topp', expected one of top; did you mean 'top'?"],
    [
      'ports: 1\npadding: smae',
      "2:10: padding: expected a number or one of same, valid or a map, got a string 'smae'; did you mean 'same'?",
    ],
    ['ports: 1\npair: [1]', '2:7: pair: expected at least 2 entries, got 1'],
    ['ports: 1\npair: [1, a]', "2:11: pair[1]: expected a number, got a string 'a'"],
    ['ports: 1\nlayers: [1, 2, 3, 4]', '2:9: layers: expected at most 3 entries, got 4'],
    ['ports: 1\nlayers:\n  - 1', '3:5: layers[0]: expected a map, got 1'],
    ['ports: 1\nlayers:\n  - kernel: 1', "3:5: missing key 'op', expected one of convolution, relu"],
    [
      'ports: 1\nlayers:\n  - op: rleu',
      "3:9: op: expected one of convolution, relu, got a string 'rleu'; did you mean 'relu'?",
    ],
    ['ports: 1\nlayers:\n  - op: relu\n  - op: convolution', "4:5: missing key 'kernel', expected a number"],
    ['pair: [1, 2]\nkind: 5', '2:7: kind: expected one of ideal, ddr4, got 5'],
    ['ports: 1\nports: 2', "2:1: key 'ports' is here twice, expected it once"],
    ['ports: 1\n---\nports: 2', '2:1: a second document starts here, expected one document in the file'],
    [
      'ports: [1',
      '1:10: not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]',
    ],
    ['\tports: 1', '1:1: not valid YAML: Tabs are not allowed as indentation'],
    ['ports: !foo 1', '1:8: not valid YAML: Unresolved tag: !foo'],
    ['%YAML 1.1\n---\nports: yes', "3:8: ports: expected a number, got a string 'yes'"],
    ['? [a]\n: 1', '1:3: a key that is not text, expected a word in front of the colon'],
    ['ports: *x', "1:8: alias 'x' has no complete value in front of it that it could repeat"],
    ['ports: &x [*x]', "1:12: alias 'x' has no complete value in front of it that it could repeat"],
  ])('refuses %j', (text, message) => {
    expect(refusal(text)).toBe(`m.yaml:${message}`);
  });

  it('refuses alias bombs', () => {
    let text = 'a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n';
    for (let i = 1; i < 12; i++) text += `a${i}: &a${i} [${new Array(10).fill(`*a${i - 1}`).join(', ')}]\n`;
    expect(refusal(text)).toBe('m.yaml:6:9: aliases make this more than 1000000 values, expected fewer');
  });

  it.each([
    [
      'characters',
      '#'.repeat(4 * 1024 * 1024 + 1),
      'm.yaml: has 4194305 characters, expected at most 4194304',
    ],
    ['marks', '['.repeat(4e6), 'm.yaml: has more than 200000 words and marks, expected fewer'],
    ['levels', '['.repeat(90) + ']'.repeat(90), 'm.yaml:1:66: nested too deeply, expected at most 64 levels'],
  ])('refuses too many %s', (_, text, message) => {
    expect(refusal(text)).toBe(message);
  });

  it('says "too deep" however deep it is', () => {
    for (const mark of ['[', '{a: ', '- ', '? ']) {
      expect(refusal(mark.repeat(9000))).toMatch(
        /^m\.yaml:\d+:\d+: nested too deeply, expected at most 64 levels$/,
      );
    }
  });

  it('answers any text with a value or one line', () => {
    const words = fc.constantFrom(
      'ports',
      ': ',
      '1',
      '\n',
      '- ',
      '[',
      ']',
      '{',
      '}',
      '"',
      '&a ',
      '*a',
      '  ',
      '!',
      '? ',
      '|',
      '---',
      ',',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(words, { maxLength: 30 }).map((w) => w.join('')),
        ),
        (text) => {
          try {
            parseYaml(text, 'm.yaml', schema);
          } catch (error) {
            expect(error).toBeInstanceOf(InputError);
            expect((error as Error).message).toMatch(/^m\.yaml:\d+:\d+: .+$/);
          }
        },
      ),
      { numRuns: 1500, seed: 1 },
    );
  });
});
