/** docs/onnx-operators.md: the table of what the audit runs, and that it leaves no operator out. */
import { describe, expect, it } from 'vitest';
import { MICROSOFT } from '../../src/import/onnx/node.ts';
import { constantOperators, mapOperators, ownOperators } from '../../src/import/onnx/operators/index.ts';
import { versionsSince } from '../../src/import/onnx/signatures.ts';
import { Draw } from './comparison.test-helper.ts';
import { auditCases } from './onnx-audit-cases.test-helper.ts';
import { OLDEST_QUANTISED, quantisedCases } from './onnx-audit-quantised.test-helper.ts';
import { NEWEST, OLDEST } from './onnx-spelling.test-helper.ts';

interface Row {
  readonly read: string[];
  readonly quantised: string[];
  readonly refused: string[];
}

interface Listed {
  readonly operator: string;
  readonly form: string;
  readonly from: number;
  readonly to: number;
  readonly refused?: RegExp;
  readonly sometimes?: boolean;
}

/** The form, and the operator sets that have it where they are not all that could. */
function shown({ form, from, to }: Listed, oldest: number): string {
  if (from <= oldest && to >= NEWEST) return form;
  if (from <= oldest) return `${form} (to ${to})`;
  return to >= NEWEST ? `${form} (from ${from})` : `${form} (${from} to ${to})`;
}

function table(): string {
  const rows = new Map<string, Row>();
  const rowOf = (operator: string): Row => {
    const row = rows.get(operator) ?? { read: [], quantised: [], refused: [] };
    rows.set(operator, row);
    return row;
  };
  const add = (one: Listed, kind: 'read' | 'quantised', oldest: number): void => {
    const isRead = one.refused === undefined || one.sometimes === true;
    rowOf(one.operator)[isRead ? kind : 'refused'].push(shown(one, oldest));
  };
  for (const one of auditCases) add(one, 'read', OLDEST);
  for (const one of quantisedCases) add(one, 'quantised', OLDEST_QUANTISED);
  const lines = [...rows.keys()].sort().map((operator) => {
    const { read, quantised, refused } = rows.get(operator)!;
    const sets = versionsSince(operator).map((since) => Math.max(since, OLDEST));
    const cells = [read, quantised, refused].map((list) => list.join('; '));
    return `| ${[operator, [...new Set(sets)].join(', '), ...cells].join(' | ')} |`;
  });
  return [
    '# ONNX, operator by operator',
    '',
    'What the tests of `test/oracles/onnx-audit*.test.ts` run against ONNX Runtime in every operator set from 7 to 21 that has it: real numbers within 1e-4 of the',
    'largest value; between QuantizeLinear and DequantizeLinear (sets 10 to 21; 16 bits in 21), and as QLinear operators, bit for bit with scales of powers of two.',
    'What is refused, is so in one line with the name of the node. "Sets" are those from which on an operator is spelt anew: attributes that became',
    'inputs, new attributes. What a set has no words for is refused, not passed over. Written by `npx vitest run test/oracles/onnx-audit-table.test.ts -u`.',
    '',
    '| operator | sets | real numbers | quantised | refused |',
    '|---|---|---|---|---|',
    ...lines,
    '',
  ].join('\n');
}

describe('the table of operators', () => {
  it('is the one in the documentation', async () => {
    await expect(table()).toMatchFileSnapshot('../../docs/onnx-operators.md');
  });

  it('has every operator that is read', () => {
    const audited = new Set([...auditCases, ...quantisedCases].map(({ operator }) => operator));
    // On constants they stand in front of Reshape, in the cases of Shape.
    const nodes = auditCases
      .filter(({ operator }) => operator === 'Shape')
      .flatMap(({ make, from }) => make(from, new Draw(1)).nodes.map(({ op }) => op));
    // The partner of QuantizeLinear stands in every quantised case.
    const missing = mapOperators.filter((name) => !audited.has(name) && name !== 'DequantizeLinear');
    expect(missing).toEqual([]);
    expect(constantOperators.filter((name) => !audited.has(name) && !nodes.includes(name))).toEqual([]);
    const own = ownOperators.filter((name) => !audited.has(`${MICROSOFT} ${name}`));
    // The same handlers under another domain.
    expect(own).toEqual(['DequantizeLinear', 'QLinearConv', 'QuantizeLinear']);
  });
});
