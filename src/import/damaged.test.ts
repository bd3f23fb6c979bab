/** Damaged texts of other tools' networks are read or refused in one line. */
import { describe, expect, it } from 'vitest';
import { InputError } from '../core/diagnostics.ts';
import { randomStream } from '../core/random.ts';
import { fixtures } from './damaged.test-helper.ts';
import { readDarknet } from './darknet/read.ts';
import { convertTopology } from './tfjs/read.ts';
import { parseTopology } from './tfjs/topology.ts';

/** What hurts readers: numbers out of every range, names that objects have, brackets. */
const SCRAPS = [
  '-1',
  '0',
  '999999999',
  '1e308',
  '4294967296',
  '__proto__',
  'constructor',
  '[',
  ']',
  '{',
  '"',
  ',',
  '=',
  '\n',
  'null',
  '',
];

function damaged(text: string, draw: () => number): string {
  let result = text;
  for (let count = 1 + (draw() % 3); count > 0; count--) {
    const at = draw() % (result.length + 1);
    const scrap = SCRAPS[draw() % SCRAPS.length]!;
    const cut = draw() % 4 === 0 ? draw() % 40 : draw() % 4;
    result = result.slice(0, at) + scrap + result.slice(at + cut);
  }
  return result;
}

describe.each(
  Object.entries({
    cfg: { text: fixtures.cfg, read: (text: string) => readDarknet(text, 'x.cfg') },
    'model.json': {
      text: fixtures.json,
      read: (text: string) => convertTopology(parseTopology(text, 'x.json'), 'x.json'),
    },
  }),
)('%s', (_name, { text, read }) => {
  it('is read undamaged', () => {
    expect(() => read(text)).not.toThrow();
  });

  it('600 damaged ones are read or refused in one line', () => {
    const draw = randomStream(11);
    let refused = 0;
    for (let i = 0; i < 600; i++) {
      const one = damaged(text, draw);
      try {
        read(one);
      } catch (error) {
        expect(error, one).toBeInstanceOf(InputError);
        expect((error as InputError).message).not.toContain('\n');
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(100);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
});
