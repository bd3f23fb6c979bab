/** Writes a plan as JavaScript: functions of a few hundred lines, which the engine's optimiser takes as a whole. */
import type { Design } from './design.ts';
import type { Extensions } from './extensions.ts';
import { FunctionWriter } from './function-writer.ts';
import { type Layout, staleFlag } from './layout.ts';
import type { Plan } from './plan.ts';
import type { Step } from './step.ts';
import { arrayOf } from './value.ts';

export interface Generated {
  /**
   * The body of a function of `arrays` = `{ state, scratch, memories }` that returns `{ outputs, run }`:
   * `outputs()` computes the outputs, `run(cycles)` runs so many cycles with the inputs as they are.
   */
  readonly source: string;
  /** What `scratch` holds at first. */
  readonly scratch: readonly number[];
  /** Characters of the longest function. */
  readonly longestFunction: number;
}

export function generate(design: Design, plan: Plan, layout: Layout, extensions: Extensions): Generated {
  const scratch: number[] = [];
  const functions: string[] = [];
  const names = (prefix: string, bodies: readonly string[]): string => {
    bodies.forEach((body, index) => {
      functions.push(`function ${prefix}${index}() {\n${body}}\n`);
    });
    return bodies.map((_, index) => `${prefix}${index}();`).join(' ');
  };
  const write = (steps: readonly Step[]): string => {
    const writer = new FunctionWriter(design, layout, extensions, scratch);
    writer.steps(steps);
    return writer.text();
  };
  const outputs = names('outputs', plan.outputs.map(write));
  const edge = names('edge', plan.edge.map(write));
  const settle = new FunctionWriter(design, layout, extensions, scratch);
  for (const update of plan.postponed) settle.putInPlace(update);
  const settled = names('settle', plan.postponed.length === 0 ? [] : [settle.text()]);
  const stale = `state[${staleFlag}]`;
  const source = [
    `'use strict';`,
    // Constants of the enclosing function: the optimiser then knows the arrays' addresses and lengths.
    'const state = arrays.state;',
    'const scratch = arrays.scratch;',
    ...design.memories.map((memory) => `const ${arrayOf(memory)} = arrays.memories[${memory.index}];`),
    ...functions,
    `function outputs() { ${outputs} ${stale} = 0; }`,
    'function run(cycles) {',
    '  for (let cycle = 0; cycle < cycles; cycle++) {',
    `    if (${stale} !== 0) { ${outputs} }`,
    `    ${edge} ${settled}`,
    `    ${stale} = 1;`,
    '  }',
    '}',
    'return { outputs, run };',
  ].join('\n');
  const longestFunction = Math.max(0, ...functions.map(({ length }) => length));
  return { source, scratch, longestFunction };
}
