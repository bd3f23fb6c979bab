/** Which node drives what, and what a node depends on. */
import { InputError } from '../../core/diagnostics.ts';
import { type Bits, type Design, inputsOf, type Node, sidesOf, type Variable } from './design.ts';

export class Graph {
  readonly resetNodes: readonly Node[];
  private readonly variables: Design['variables'];
  private readonly drivers = new Map<Variable, Node>();

  constructor({ variables, nodes }: Design) {
    this.variables = variables;
    this.resetNodes = nodes.filter(({ kind }) => kind === 'reset');
    for (const node of nodes) this.drivers.set(node.output, node);
  }

  /** The nodes that drive bits of a vector. */
  driversOf(bits: Bits): Node[] {
    return this.variables.in(bits).flatMap((variable) => this.drivers.get(variable) ?? []);
  }

  /** The states that bits are taken from. */
  statesOf(bits: Bits): Variable[] {
    return this.variables.in(bits).filter(({ kind }) => kind === 'state');
  }

  /** All nodes that vectors depend on and that are not in `known`, each after those it depends on. */
  cone(vectors: readonly Bits[], known: ReadonlySet<Node> = new Set()): Node[] {
    const cone: Node[] = [];
    const state = new Map<Node, 'open' | 'done'>();
    // An explicit stack: a chain of nodes may be longer than that of calls.
    const stack = vectors.flatMap((bits) => this.driversOf(bits)).reverse();
    for (let node = stack.at(-1); node !== undefined; node = stack.at(-1)) {
      if (known.has(node) || state.get(node) === 'done') {
        stack.pop();
      } else if (state.get(node) === 'open') {
        stack.pop();
        state.set(node, 'done');
        cone.push(node);
      } else {
        state.set(node, 'open');
        for (const bits of [...inputsOf(node), ...sidesOf(node)]) {
          for (const driver of this.driversOf(bits)) {
            if (state.get(driver) === 'open') throw loopError(driver, node);
            stack.push(driver);
          }
        }
      }
    }
    return cone;
  }
}

function loopError(...nodes: readonly Node[]): InputError {
  const names = nodes.map(({ output }) => output.name).join(' and ');
  return new InputError(`netlist: a combinational loop through ${names}, expected a register in every loop`);
}
