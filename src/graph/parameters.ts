/** Finding a node's parameters among a network's values. */
import { assert, InputError } from '../core/diagnostics.ts';
import { product, sum } from '../core/integers.ts';
import type { Node, ParameterValues } from './graph.ts';
import type { ParameterReader, ParameterSpec } from './op.ts';

/** Elements of one parameter. */
export function parameterSize(parameter: ParameterSpec): number {
  return product(parameter.shape);
}

/** Parameters of one node as trained, batch norm's statistics included. */
export function parameterCount(node: Node): number {
  return sum(node.parameters.map(parameterSize));
}

/**
 * The reader an operator's rules get: short name ("filters") to values.
 * @throws InputError (from the reader) when `values` lacks the entry or has another number of elements;
 *   Error (a defect) when the operator asks for a parameter that it does not declare.
 */
export function parameterReader(node: Node, values: ParameterValues): ParameterReader {
  return (shortName) => {
    const parameter = node.parameters.find((candidate) => candidate.shortName === shortName);
    assert(parameter !== undefined, `node ${node.name} has no parameter called ${shortName}`);
    const found = values.get(parameter.name);
    if (found === undefined) throw new InputError(`${node.name}: no weights called ${parameter.name}`);
    const expected = parameterSize(parameter);
    if (found.length !== expected) {
      throw new InputError(
        `${node.name}: weights ${parameter.name} have ${found.length} elements, expected ${expected} (${parameter.shape.join(' x ')})`,
      );
    }
    return found;
  };
}
