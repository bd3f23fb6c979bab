/** Yosys' word-level operators by cell type. */
import * as arithmetic from './arithmetic.ts';
import * as comparison from './comparison.ts';
import * as logic from './logic.ts';
import type { Operator } from './operator.ts';
import * as shift from './shift.ts';

/**
 * All that the simulation can compute. The four-valued comparisons are the plain ones, since there is no x.
 * Powers, latches, tristates and Yosys' own fused adders are missing: the elaboration here makes none of them of
 * synthesizable Verilog.
 */
export const operators: ReadonlyMap<string, Operator> = new Map([
  ['$not', logic.not],
  ['$and', logic.and],
  ['$or', logic.or],
  ['$xor', logic.xor],
  ['$xnor', logic.xnor],
  ['$bweqx', logic.xnor],
  ['$bwmux', logic.bitwiseChoice],
  ['$reduce_and', logic.reduceAnd],
  ['$reduce_or', logic.reduceOr],
  ['$reduce_bool', logic.reduceOr],
  ['$reduce_xor', logic.reduceXor],
  ['$reduce_xnor', logic.reduceXnor],
  ['$logic_not', logic.logicNot],
  ['$logic_and', logic.logicAnd],
  ['$logic_or', logic.logicOr],
  ['$eq', comparison.equal],
  ['$eqx', comparison.equal],
  ['$ne', comparison.unequal],
  ['$nex', comparison.unequal],
  ['$lt', comparison.less],
  ['$le', comparison.lessOrEqual],
  ['$gt', comparison.greater],
  ['$ge', comparison.greaterOrEqual],
  ['$neg', arithmetic.negate],
  ['$add', arithmetic.add],
  ['$sub', arithmetic.subtract],
  ['$mul', arithmetic.multiply],
  ['$div', arithmetic.divide],
  ['$mod', arithmetic.remainder],
  ['$divfloor', arithmetic.divideFloor],
  ['$modfloor', arithmetic.remainderFloor],
  ['$shl', shift.left],
  ['$sshl', shift.left],
  ['$shr', shift.right],
  ['$sshr', shift.rightArithmetic],
  ['$shift', shift.either],
  ['$shiftx', shift.select],
  ['$bmux', shift.choose],
  ['$demux', shift.distribute],
]);
