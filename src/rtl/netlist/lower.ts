/**
 * From Yosys' flat netlist to a design: which cells are mere wiring, which compute, which are state.
 *
 * There is neither x nor z in a design: an undefined, undriven or uninitialised bit is 0. Whatever the simulation
 * can't do as the Verilog says is refused here, by name and place.
 */
import { InputError } from '../../core/diagnostics.ts';
import {
  type Bits,
  bitsOf,
  type Design,
  extend,
  inputsOf,
  type Memory,
  type Node,
  type Register,
  type Signal,
  sidesOf,
} from './design.ts';
import { Drivers } from './drivers.ts';
import { lowerMemory } from './lower-memory.ts';
import type { NetBit, Netlist, NetlistCell, NetlistModule, NetlistPort } from './netlist.ts';
import { operators } from './operators.ts';
import { constantBits, flag, integer } from './parameters.ts';

/** Kinds of flip-flop that are one register here, told apart by the control inputs they have. */
const flipFlops = new Set(['$dff', '$dffe', '$sdff', '$sdffe', '$sdffce', '$adff', '$adffe']);

/** Cells that only rename bits. */
const wiring = new Set(['$pos', '$buf', '$slice', '$concat']);

/** Cells that do nothing. */
const ignored = new Set(['$scopeinfo']);

/** The module `top` of a netlist as a design. */
export function lower(netlist: Netlist, top: string): Design {
  const module = netlist.get(top);
  if (module === undefined) {
    throw new InputError(`netlist: no module ${top}, expected one of ${[...netlist.keys()].join(', ')}`);
  }
  return new Lowering(module).design();
}

class Lowering {
  private readonly module: NetlistModule;
  private readonly drivers: Drivers;
  private readonly nodes: Node[] = [];
  private readonly registers: Register[] = [];
  private readonly memories: Memory[] = [];

  constructor(module: NetlistModule) {
    this.module = module;
    this.drivers = new Drivers(module);
  }

  design(): Design {
    const inputs = this.ports('input').map(([name, port]) => {
      const variable = this.drivers.declare(name, port.bits, 'input');
      return { name, variable, bits: bitsOf(variable), signed: port.signed };
    });
    if (this.ports('inout').length > 0) {
      throw new InputError(`netlist: ${this.module.name} has an inout port, expected inputs and outputs`);
    }
    // Drivers first: a cell may stand before those that drive it.
    const completions = [...this.module.cells].map(([name, cell]) => this.begin(name, cell));
    for (const complete of completions) complete();
    const signals = new Map<string, Signal>();
    for (const [name, { bits, signed }] of this.module.names) {
      signals.set(name, { name, bits: this.drivers.resolve(bits), signed });
    }
    const outputs = this.ports('output').map(([name, port]) => {
      return { name, bits: this.drivers.resolve(port.bits), signed: port.signed };
    });
    return {
      name: this.module.name,
      variables: this.drivers.variables,
      inputs,
      outputs,
      clock: this.clockInput(outputs),
      nodes: this.nodes,
      registers: this.registers,
      memories: this.memories,
      signals,
    };
  }

  /** Declares what a cell drives; the function returned makes its nodes and state, once all drivers are known. */
  private begin(name: string, cell: NetlistCell): () => void {
    const { type } = cell;
    if (ignored.has(type)) return () => {};
    if (wiring.has(type)) return this.beginWiring(name, cell);
    if (flipFlops.has(type)) return this.beginFlipFlop(name, cell);
    if (operators.has(type)) return this.beginOperator(name, cell);
    if (type === '$mux' || type === '$pmux') return this.beginChoice(name, cell);
    if (type === '$mem_v2') return this.beginMemory(name, cell);
    const what = type.startsWith('$')
      ? `the cell type ${type}, which the simulation does not know`
      : `an instance of ${type}, expected a flat netlist`;
    throw new InputError(`netlist: ${name} is ${what}`, cell.position);
  }

  private beginWiring(name: string, cell: NetlistCell): () => void {
    const { A = [], B = [], Y = [] } = cell.connections;
    const sign = flag(cell, 'A_SIGNED') ? (A.at(-1) ?? '0') : '0';
    const sources: Readonly<Record<string, readonly NetBit[]>> = {
      $pos: [...A, ...new Array<NetBit>(Math.max(0, Y.length - A.length)).fill(sign)],
      $buf: A,
      $slice: A.slice(integer(cell, 'OFFSET')),
      $concat: [...A, ...B],
    };
    this.drivers.alias(name, Y, sources[cell.type] ?? []);
    return () => {};
  }

  private beginOperator(name: string, cell: NetlistCell): () => void {
    const { A = [], B = [], S = [], Y = [] } = cell.connections;
    const output = this.drivers.declare(name, Y, 'value');
    return () => {
      const [a, b, s] = [A, B, S].map((nets) => this.drivers.resolve(nets)) as [Bits, Bits, Bits];
      const [aSigned, bSigned] = [flag(cell, 'A_SIGNED'), flag(cell, 'B_SIGNED')];
      this.nodes.push({ kind: 'operator', type: cell.type, a, b, s, aSigned, bSigned, output });
    };
  }

  /** Of several selects the first that is 1 decides; Yosys promises that at most one is. */
  private beginChoice(name: string, cell: NetlistCell): () => void {
    const { A = [], B = [], S = [], Y = [] } = cell.connections;
    const output = this.drivers.declare(name, Y, 'value');
    return () => {
      const choices = this.drivers.resolve(B);
      const selects = this.drivers.resolve(S);
      let otherwise = this.drivers.resolve(A);
      for (let index = S.length - 1; index >= 0; index--) {
        const target =
          index === 0 ? output : this.drivers.variables.add(`${name}.${index}`, Y.length, 'value');
        const whenOne = choices.slice(index * Y.length, (index + 1) * Y.length);
        this.nodes.push({
          kind: 'choice',
          select: selects[index]!,
          whenOne,
          whenZero: otherwise,
          output: target,
        });
        otherwise = bitsOf(target);
      }
    };
  }

  private beginFlipFlop(name: string, cell: NetlistCell): () => void {
    const { D = [], Q = [], EN, SRST, ARST, CLK = [] } = cell.connections;
    const { drivers } = this;
    const variable = drivers.declare(name, Q, 'state');
    return () => {
      drivers.clockedBy(CLK, flag(cell, 'CLK_POLARITY'), name, cell);
      const prefix = SRST === undefined ? 'ARST' : 'SRST';
      const resetInput = SRST ?? ARST;
      const reset = resetInput && {
        control: drivers.control(resetInput, flag(cell, `${prefix}_POLARITY`)),
        value: extend(constantBits(cell, `${prefix}_VALUE`), Q.length, false),
      };
      const register: Register = {
        variable,
        data: drivers.resolve(D),
        enable: EN && drivers.control(EN, flag(cell, 'EN_POLARITY')),
        reset,
        resetNeedsEnable: cell.type === '$sdffce',
        initial: drivers.initialOf(Q),
      };
      this.registers.push(register);
      // An asynchronous reset is a synchronous one that acts between the edges as well.
      if (ARST !== undefined && reset !== undefined) {
        this.nodes.push({ kind: 'reset', register, reset, output: variable });
      }
    };
  }

  private beginMemory(name: string, cell: NetlistCell): () => void {
    const complete = lowerMemory(this.drivers, name, cell);
    return () => {
      const { memory, nodes, registers } = complete(this.memories.length);
      this.memories.push(memory);
      this.nodes.push(...nodes);
      this.registers.push(...registers);
    };
  }

  private ports(direction: NetlistPort['direction']): [string, NetlistPort][] {
    return [...this.module.ports].filter(([, port]) => port.direction === direction);
  }

  /** The clock's name. What reads the clock as data would see a level that this simulation has no time for. */
  private clockInput(outputs: readonly Signal[]): string | undefined {
    const { clock } = this.drivers;
    if (clock === undefined) return undefined;
    const reads = (bits: Bits): boolean => bits.includes(clock);
    const asData =
      outputs.some(({ bits }) => reads(bits)) ||
      this.registers.some(({ data, enable, reset }) =>
        [data, enable?.bits ?? [], reset?.control.bits ?? []].some(reads),
      ) ||
      this.memories.some(({ writePorts }) =>
        writePorts.some(({ address, data, enable }) => [address, data, enable].some(reads)),
      ) ||
      this.nodes.some((node) => [...inputsOf(node), ...sidesOf(node)].some(reads));
    const { name, width } = this.drivers.variables.of(clock);
    if (asData || width !== 1) {
      throw new InputError(`netlist: the clock ${name} is used as data, expected a clock and nothing else`);
    }
    return name;
  }
}
