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

/** Everything that is read, for the message about what is not. */
export function supportedOperators(): string {
  const constants = foldedOperators.filter((name) => !standard.has(name));
  return [
    [...standard.keys(), 'HardSigmoid (in hard-swish)'].sort().join(', '),
    `on constants ${constants.sort().join(', ')}`,
    `${MICROSOFT} ${[...microsoft.keys()].sort().join(', ')}`,
  ].join('; ');
}
