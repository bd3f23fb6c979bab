/** All operators that are compared bit for bit, with what can go wrong in each. */
import {
  accumulatorCase,
  type ConvolutionKind,
  convolutionCase,
  fullyConnectedCase,
} from './array-cases.test-helper.ts';
import type { Alteration, Draw, OracleCase } from './comparison.test-helper.ts';
import {
  addCase,
  concatCase,
  dequantiseCase,
  globalAverageCase,
  poolCase,
  quantiseCase,
} from './map-cases.test-helper.ts';

export interface ComparedOperator {
  readonly name: string;
  readonly cases: number;
  draw(draw: Draw): OracleCase;
  /** Mistakes that must not go unnoticed. */
  readonly mistakes: readonly (keyof Alteration)[];
}

const convolutions: readonly (readonly [ConvolutionKind, number])[] = [
  ['ordinary', 120],
  ['grouped', 60],
  ['depthwise', 60],
];

export const comparedOperators: readonly ComparedOperator[] = [
  ...convolutions.map(
    ([kind, cases]): ComparedOperator => ({
      name: `QLinearConv, ${kind}`,
      cases,
      draw: (draw) => convolutionCase(draw, kind),
      mistakes: ['rounding', 'zeroPoint', 'shiftPadding'],
    }),
  ),
  ...convolutions.map(
    ([kind, cases]): ComparedOperator => ({
      name: `ConvInteger, ${kind}`,
      cases: cases / 2,
      draw: (draw) => accumulatorCase(draw, kind),
      mistakes: ['zeroPoint', 'shiftPadding'],
    }),
  ),
  {
    name: 'QLinearMatMul',
    cases: 80,
    draw: (draw) => fullyConnectedCase(draw, false),
    mistakes: ['rounding', 'zeroPoint'],
  },
  {
    name: 'QGemm',
    cases: 80,
    draw: (draw) => fullyConnectedCase(draw, true),
    mistakes: ['rounding', 'zeroPoint'],
  },
  // Its rounding is not the machine's and has no parameter: always half to even.
  { name: 'QuantizeLinear', cases: 60, draw: quantiseCase, mistakes: ['zeroPoint'] },
  { name: 'DequantizeLinear', cases: 60, draw: dequantiseCase, mistakes: ['zeroPoint'] },
  { name: 'MaxPool', cases: 100, draw: (draw) => poolCase(draw, 'maxPool'), mistakes: ['shiftPadding'] },
  {
    name: 'QLinearAveragePool',
    cases: 100,
    draw: (draw) => poolCase(draw, 'averagePool'),
    mistakes: ['rounding', 'zeroPoint', 'shiftPadding'],
  },
  {
    name: 'QLinearGlobalAveragePool',
    cases: 80,
    draw: (draw) => globalAverageCase(draw),
    mistakes: ['rounding', 'zeroPoint'],
  },
  { name: 'QLinearAdd', cases: 100, draw: (draw) => addCase(draw), mistakes: ['rounding', 'zeroPoint'] },
  { name: 'QLinearConcat', cases: 80, draw: (draw) => concatCase(draw), mistakes: ['rounding', 'zeroPoint'] },
];
