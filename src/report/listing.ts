/** A program as text: its commands, headed by the step that they carry out. Comments begin with a semicolon. */
import { product } from '../core/integers.ts';
import { disassembleCommand } from '../hw/isa/disassemble.ts';
import { wordBytes } from '../hw/isa/formats.ts';
import type { Program } from '../schedule/program.ts';

export function programListing(program: Program): string {
  const { commands, passes, graph, layout } = program;
  const width = String(Math.max(commands.length - 1, 0)).length;
  const lines = [
    `; ${graph.name}: ${commands.length} commands of ${wordBytes} bytes, ${layout.totalBytes} bytes of DRAM`,
  ];
  let next = 0;
  commands.forEach((command, index) => {
    // Every pass ends with a barrier.
    const begins = index === 0 || commands[index - 1]!.op === 'barrier';
    if (begins) {
      const { first, end } = passes[next++]!;
      lines.push('');
      for (let step = first; step < end; step++) lines.push(...stepHeading(program, step));
    }
    lines.push(`${String(index).padStart(width)}  ${disassembleCommand(command)}`);
  });
  if (next !== passes.length) throw new Error(`internal: ${next} barriers for ${passes.length} passes`);
  return lines.map((line) => `${line}\n`).join('');
}

function stepHeading({ steps, layout, values }: Program, index: number): string[] {
  const { step } = steps[index]!;
  const fused = step.layers.flatMap((layer) => [layer.node.name, ...layer.merged.map((node) => node.name)]);
  const place = (name: string): string => {
    const address = layout.maps.get(name);
    return address === undefined ? 'on chip' : `at 0x${address.toString(16)}`;
  };
  const map = (name: string, shape: readonly number[]): string =>
    `${name} ${shape.join(' x ')} ${place(name)} (${product(shape) * values.elementBytes} bytes)`;
  return [
    `; step ${step.name}: ${fused.join(', ')}`,
    ...step.inputs.map((input) => `;   reads ${map(input, step.inputShape)}`),
    `;   writes ${map(step.output, step.outputShape)}`,
  ];
}
