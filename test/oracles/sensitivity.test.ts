/** The comparison with ONNX Runtime can fail: the product's code, run with a deliberate mistake, does not pass it. */
import { describe, expect, it } from 'vitest';
import { type Alteration, compare, drawCases } from './comparison.test-helper.ts';
import { comparedOperators } from './operators.test-helper.ts';

const SEED = 77;
const CASES = 48;

const mistakes: Required<{ [Field in keyof Alteration]: Alteration }> = {
  rounding: { rounding: 'half-up' },
  zeroPoint: { zeroPoint: 1 },
  shiftPadding: { shiftPadding: true },
};

describe.each(comparedOperators)('$name', ({ draw, mistakes: possible }) => {
  it('agrees as it is', async () => {
    expect((await compare(drawCases(CASES, SEED, draw))).differingCases).toBe(0);
  });

  it.each(possible)('a mistake in %s shows', async (mistake) => {
    const { differingCases } = await compare(drawCases(CASES, SEED, draw), mistakes[mistake]);
    expect(differingCases).toBeGreaterThanOrEqual(1);
  });
});

describe('roundings of a convolution', () => {
  const convolution = comparedOperators[0]!;

  it.each(['half-up', 'half-away', 'truncate'] as const)('%s is not half to even', async (rounding) => {
    const { differingCases } = await compare(drawCases(CASES, SEED, convolution.draw), { rounding });
    expect(differingCases).toBeGreaterThanOrEqual(1);
  });
});
