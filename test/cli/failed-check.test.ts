/** An accelerator that computes something else than the reference must not pass. */
import { expect, it, vi } from 'vitest';
import { condensim, edge256, example } from './command-line.ts';

vi.mock('../../src/quant/integer-executor.ts', async (original) => {
  const module = await original<typeof import('../../src/quant/integer-executor.ts')>();
  const { runInteger } = module;
  return {
    ...module,
    runInteger(...run: Parameters<typeof runInteger>) {
      const result = runInteger(...run);
      result.tensors.get('pool1')![7]! ^= 1;
      return result;
    },
  };
});

it('exits with 1 when one bit of one value differs', async () => {
  const argv = ['validate', '--model', example, '--hw', edge256];
  const table = await condensim(...argv);
  expect(table.code).toBe(1);
  expect(table.stderr).toBe('');
  expect(table.stdout).toMatch(/bit for bit +NO\n +2 tensors compared, 1 values differ$/m);
  const { code, stdout } = await condensim(...argv, '--json');
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({
    acceleratorEqualsInteger: false,
    mismatches: 1,
    bytesEqualClosedForm: true,
    timingEqualsFull: true,
  });
});
