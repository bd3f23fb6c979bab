/** Which handler reads which operator. */
import { foldedOperators } from '../fold.ts';
import { MICROSOFT, type OnnxNode } from '../node.ts';
import { elementwise } from './elementwise.ts';
import type { Handler, Handlers } from './handler.ts';
import { layout } from './layout.ts';
import { poolings } from './pooling.ts';
import { products } from './products.ts';
import { microsoftOperators, quantisedOperators } from './quantised.ts';

const standard = new Map<string, Handler>(
  [products, poolings, elementwise, layout, quantisedOperators].flatMap((one: Handlers) =>
    Object.entries(one),
  ),
);
const microsoft = new Map<string, Handler>(Object.entries(microsoftOperators));

export function handlerOf({ domain, opType }: OnnxNode): Handler | undefined {
  if (domain === '') return standard.get(opType);
  return domain === MICROSOFT ? microsoft.get(opType) : undefined;
}

/** Operators that a graph's maps may go through. */
export const mapOperators: readonly string[] = [...standard.keys()].sort();

/** Operators that are read on constants alone. */
export const constantOperators: readonly string[] = foldedOperators
  .filter((name) => !standard.has(name))
  .sort();

/** Operators of ONNX Runtime's own. */
export const ownOperators: readonly string[] = [...microsoft.keys()].sort();

/** Everything that is read, for the message about what is not. */
export function supportedOperators(): string {
  return [
    [...mapOperators, 'HardSigmoid (in hard-swish)'].sort().join(', '),
    `on constants ${constantOperators.join(', ')}`,
    `${MICROSOFT} ${ownOperators.join(', ')}`,
  ].join('; ');
}
