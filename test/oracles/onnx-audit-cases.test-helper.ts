/**
 * What is read of ONNX, operator by operator and operator set by operator set: ways of using each, spelt as each set
 * spells it, and ways that are refused. `onnx-audit.test.ts` runs all of them; docs/onnx-operators.md has the table.
 */
import { computingForms } from './onnx-audit-computing.test-helper.ts';
import { layoutForms } from './onnx-audit-layout.test-helper.ts';
import { type AuditCase, NEWEST, OLDEST } from './onnx-spelling.test-helper.ts';

export const auditCases: readonly AuditCase[] = Object.entries({ ...computingForms, ...layoutForms }).flatMap(
  ([operator, list]) =>
    list.map(([form, make, options = {}]) => ({
      operator,
      form,
      make,
      from: OLDEST,
      to: NEWEST,
      count: 1,
      ...options,
    })),
);
