/** Whether a value can be negative: some operators are ours only where it cannot. */
import { formatRange } from '../../../core/fixed-point.ts';
import { type Conversion, parse } from '../conversion.ts';
import type { MapValue } from '../value.ts';

/** Whether no element is below zero, as far as the operators in front and the numbers of a quantised value tell. */
export function isNeverNegative(conversion: Conversion, { tensor, domain }: MapValue): boolean {
  const numbers = domain === 'real' ? undefined : conversion.numbers.get(tensor);
  const lowest =
    numbers === undefined
      ? Number.NEGATIVE_INFINITY
      : (formatRange(numbers.format).low - numbers.zeroPoint) * numbers.scale;
  return lowest >= 0 || isBehindRelu(conversion, tensor);
}

function isBehindRelu(conversion: Conversion, tensor: string): boolean {
  // Maxima and rearrangements keep what is in front of them.
  for (let node = conversion.nodes.get(tensor); node !== undefined; ) {
    const { machine } = node.op;
    if (machine.stage === 'activation') {
      return machine.activation(parse(node.op, node.attributes)).negativeSlope === 0;
    }
    if (machine.stage !== 'pool' && machine.stage !== 'crossChannel' && machine.stage !== 'rearrange') {
      return false;
    }
    node = conversion.nodes.get(node.inputs[0]!);
  }
  return false;
}
