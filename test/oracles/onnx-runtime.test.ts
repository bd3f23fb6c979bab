/** The integer rules against ONNX Runtime, which knows nothing of them. */
import { describe, expect, it } from 'vitest';
import { type Comparison, compare, drawCases, type OracleCase } from './comparison.test-helper.ts';
import { generalConvolutionCase } from './general-cases.test-helper.ts';
import { addCase, concatCase, globalAverageCase } from './map-cases.test-helper.ts';
import { comparedOperators } from './operators.test-helper.ts';

const SEED = 20_261_101;

describe('with scales that are powers of two, rounding half to even: the same bits', () => {
  it.each(comparedOperators)('$name, $cases cases', async ({ cases, draw }) => {
    const result = await compare(drawCases(cases, SEED, draw));
    expect(result.first).toBe('');
    expect(result).toMatchObject({ cases, differingElements: 0 });
    expect(result.elements).toBeGreaterThan(4 * cases);
  });

  it('at least 500 cases in all', () => {
    expect(comparedOperators.reduce((total, { cases }) => total + cases, 0)).toBeGreaterThanOrEqual(500);
  });

  it('QLinearAdd on odd zero points: at most one step apart', async () => {
    // Ties alone: see `addCase`.
    const result = await compare(
      drawCases(100, SEED, (draw) => addCase(draw, 'powers of two', undefined, 'any')),
    );
    expect(result.worst).toBeLessThanOrEqual(1);
  });
});

describe('with scales as they come, requantised by multiplier and shift', () => {
  const inTenThousand = ({ differingElements, elements }: Comparison): number =>
    (10_000 * differingElements) / elements;

  /** Prints what was measured: it is worth knowing beyond whether it holds. */
  async function measure(what: string, cases: readonly OracleCase[]): Promise<Comparison> {
    const result = await compare(cases);
    const { differingElements, elements } = result;
    const rate = inTenThousand(result).toFixed(2);
    console.info(
      `${what}: ${differingElements} of ${elements} elements differ from ONNX Runtime (${rate} in 10,000)`,
    );
    return result;
  }

  it.each([
    24, 32,
  ])('QLinearConv, %i-bit multipliers: one step in at most 1 of 10,000 elements', async (bits) => {
    const cases = drawCases(32, SEED, (draw) => generalConvolutionCase(draw, bits));
    const result = await measure(`QLinearConv, ${bits}-bit multipliers`, cases);
    expect(result.elements).toBeGreaterThanOrEqual(200_000);
    expect(result.worst).toBeLessThanOrEqual(1);
    expect(inTenThousand(result)).toBeLessThanOrEqual(1);
  });

  // A 16-bit multiplier is wrong by 2^-17 of itself on average at worst, so a result that is d steps from zero by
  // d * 2^-17 steps: with d = 64 a rounding boundary lies in between in 5 of 10,000.
  it.each<[string, () => OracleCase[]]>([
    ['QLinearConv', () => drawCases(32, SEED, (draw) => generalConvolutionCase(draw, 16))],
    ['QLinearAdd', () => drawCases(32, SEED, (draw) => addCase(draw, 'general', [8, 32, 32]))],
    ['QLinearConcat', () => drawCases(64, SEED, (draw) => concatCase(draw, 'general', [32, 32]))],
  ])('%s, 16-bit multipliers: one step in at most 5 of 10,000 elements', async (name, cases) => {
    const result = await measure(`${name}, 16-bit multipliers`, cases());
    expect(result.elements).toBeGreaterThanOrEqual(200_000);
    expect(result.worst).toBeLessThanOrEqual(1);
    expect(inTenThousand(result)).toBeLessThanOrEqual(5);
  });

  it('QLinearGlobalAveragePool, 32-bit multipliers: at most one step', async () => {
    const cases = drawCases(150, SEED, (draw) => globalAverageCase(draw, 'general'));
    const result = await measure('QLinearGlobalAveragePool, 32-bit multipliers', cases);
    expect(result.worst).toBeLessThanOrEqual(1);
    expect(inTenThousand(result)).toBeLessThanOrEqual(5);
  });
});
