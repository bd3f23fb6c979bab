/**
 * The compiler: from a netlist to a model that runs.
 *
 * `lower` makes a design of Yosys' cells, `plan` puts it in order, `chooseExtensions` and `layOut` decide how values
 * are kept and where, `generate` writes JavaScript, and the model runs it.
 */
import { type Design, type Signal, wordsOf } from './design.ts';
import { chooseExtensions, type Extensions } from './extensions.ts';
import { type Generated, generate } from './generate.ts';
import { type Layout, layOut } from './layout.ts';
import { lower } from './lower.ts';
import { type Arrays, arraysFor, Model, type Program } from './model.ts';
import type { Netlist } from './netlist.ts';
import { plan } from './plan.ts';

export interface CompileOptions {
  /**
   * About how many values one generated function computes. V8 leaves very large functions to its interpreter, and
   * between functions values go through memory.
   */
  readonly stepsPerFunction?: number;
}

/**
 * Compiles the module `top` of a flat netlist into a model in its power-on state. Throws an `InputError` that says
 * what is not supported and where it stands: latches, several clocks, loops without a register.
 */
export function compileNetlist(netlist: Netlist, top: string, options: CompileOptions = {}): Model {
  const design = lower(netlist, top);
  const { layout, extensions, generated } = translate(design, options.stepsPerFunction ?? 400);
  const { source, scratch } = generated;
  const probeSlot = layout.size;
  const widest = Math.max(0, ...[...design.signals.values()].map(({ bits }) => wordsOf(bits.length)));
  const arrays = arraysFor(design, layout.size + widest, scratch);
  const program = instantiate(source, arrays);
  const probe = (signal: Signal): (() => void) =>
    compileProbe(design, layout, extensions, arrays, signal, probeSlot);
  return new Model({ design, layout, extensions, arrays, scratch, program, source, probe, probeSlot });
}

/**
 * Characters of source beyond which a function is cut smaller. V8 optimises functions up to 60 kB of bytecode, and a
 * character of what is generated here makes up to 1.2 bytes.
 */
const maximumFunctionLength = 45_000;

interface Translation {
  readonly layout: Layout;
  readonly extensions: Extensions;
  readonly generated: Generated;
}

/** Source of a design, in functions small enough to be optimised. */
function translate(design: Design, stepsPerFunction: number): Translation {
  const steps = plan(design, stepsPerFunction);
  const extensions = chooseExtensions(design, steps);
  const layout = layOut(design, steps);
  const generated = generate(design, steps, layout, extensions);
  if (generated.longestFunction > maximumFunctionLength && stepsPerFunction > 25) {
    return translate(design, stepsPerFunction / 2);
  }
  return { layout, extensions, generated };
}

/**
 * A function that computes a signal from inputs and state and leaves it at `slot`. Most signals are gone once a
 * cycle has been computed, so that looking at one takes a small program of its own.
 */
function compileProbe(
  design: Design,
  layout: Layout,
  extensions: Extensions,
  arrays: Arrays,
  signal: Signal,
  slot: number,
): () => void {
  const readOnly: Design = {
    ...design,
    outputs: [signal],
    registers: [],
    memories: design.memories.map((memory) => ({ ...memory, writePorts: [] })),
    nodes: design.nodes.filter(({ kind }) => kind !== 'reset'),
  };
  const steps = plan(readOnly, Number.POSITIVE_INFINITY);
  const probeLayout: Layout = {
    ...layout,
    slotOf: (variable) => (variable.kind === 'value' ? undefined : layout.slotOf(variable)),
    outputSlot: () => slot,
    isInPlace: () => false,
  };
  const { source, scratch } = generate(readOnly, steps, probeLayout, extensions);
  return instantiate(source, { ...arrays, scratch: Int32Array.from(scratch) }).outputs;
}

/** Runs generated source; its constants are the given arrays. */
function instantiate(source: string, arrays: Arrays): Program {
  return new Function('arrays', source)(arrays) as Program;
}
