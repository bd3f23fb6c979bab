/** The golden files: a change of the program or of the cycles shows as a diff in review. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { condensim, edge256, example, projectFile, scratch } from './command-line.ts';

const advice = 'If that is meant, regenerate it as traces/README.md says and review the diff.';

it('traces/example.program.txt is the program of the example', async () => {
  const { code, stdout } = await condensim('inspect', example, '--hw', edge256, '--program');
  expect(code).toBe(0);
  const golden = readFileSync(projectFile('traces/example.program.txt'), 'utf8');
  expect(stdout, `the program differs from traces/example.program.txt. ${advice}`).toBe(golden);
});

it.each(['timing', 'full'])('traces/example.dram.trace is its DRAM traffic, mode %s', async (mode) => {
  const file = scratch(`${mode}.trace`);
  const argv = ['--model', example, '--hw', edge256, '--mode', mode, '--dram-trace', file];
  const { code } = await condensim('simulate', ...argv);
  expect(code).toBe(0);
  const golden = readFileSync(projectFile('traces/example.dram.trace'), 'utf8');
  expect(readFileSync(file, 'utf8'), `the traffic differs from traces/example.dram.trace. ${advice}`).toBe(
    golden,
  );
});
