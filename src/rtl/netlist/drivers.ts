/** Who drives each net of a module, and what its clock is: the ground that the cells are lowered on. */
import { InputError } from '../../core/diagnostics.ts';
import { type Bit, type Bits, type Control, type Variable, Variables } from './design.ts';
import type { NetBit, NetlistCell, NetlistModule } from './netlist.ts';
import { digit } from './parameters.ts';

export class Drivers {
  readonly variables = new Variables();
  /** The input bit that clocks everything, once something clocked has been met. */
  clock: Bit | undefined;
  private rising = true;
  private readonly drivers = new Map<number, Bit>();
  /** Nets that are another net by another number. */
  private readonly aliases = new Map<number, NetBit>();
  private readonly initial = new Map<number, Bit>();

  constructor(module: NetlistModule) {
    for (const { bits, initial } of module.names.values()) {
      bits.forEach((net, index) => {
        if (typeof net === 'number' && index < initial.length) this.initial.set(net, digit(initial, index));
      });
    }
  }

  /** A new variable that drives the given nets. */
  declare(name: string, nets: readonly NetBit[], kind: Variable['kind']): Variable {
    const variable = this.variables.add(name, nets.length, kind);
    nets.forEach((net, offset) => {
      if (typeof net !== 'number') return;
      this.refuseSecondDriver(net, name);
      this.drivers.set(net, variable.firstBit + offset);
    });
    return variable;
  }

  /** Makes `nets` other names of `sources`, bit by bit; missing sources are 0. */
  alias(name: string, nets: readonly NetBit[], sources: readonly NetBit[]): void {
    nets.forEach((net, offset) => {
      if (typeof net !== 'number') return;
      this.refuseSecondDriver(net, name);
      this.aliases.set(net, sources[offset] ?? '0');
    });
  }

  /** The bits that drive nets; all drivers must have been declared. */
  resolve(nets: readonly NetBit[]): Bits {
    return nets.map((net) => this.resolveBit(net));
  }

  /** Power-on values of nets. */
  initialOf(nets: readonly NetBit[]): Bits {
    return nets.map((net) => (typeof net === 'number' ? (this.initial.get(net) ?? 0) : 0));
  }

  /** A control input of one bit. */
  control(nets: readonly NetBit[], activeHigh: boolean): Control {
    return { bits: this.resolve(nets.slice(0, 1)), activeLow: !activeHigh };
  }

  /** Notes that something is clocked by a net; there is one clock, and one of its edges counts. */
  clockedBy(nets: readonly NetBit[], rising: boolean, name: string, cell: NetlistCell): void {
    const bit = this.resolveBit(nets[0] ?? 'x');
    if (bit < 2 || this.variables.of(bit).kind !== 'input') {
      throw new InputError(`netlist: ${name} has a gated or missing clock, expected an input`, cell.position);
    }
    if (this.clock === undefined) this.rising = rising;
    this.clock ??= bit;
    if (this.clock !== bit || this.rising !== rising) {
      throw new InputError(`netlist: ${name} has another clock or edge, expected one for all`, cell.position);
    }
  }

  private resolveBit(net: NetBit): Bit {
    let source = net;
    while (typeof source === 'number') {
      const driver = this.drivers.get(source);
      if (driver !== undefined) return driver;
      source = this.aliases.get(source) ?? '0';
    }
    return source === '1' ? 1 : 0;
  }

  private refuseSecondDriver(net: number, name: string): void {
    if (this.drivers.has(net) || this.aliases.has(net)) {
      throw new InputError(`netlist: ${name} drives what something else drives, expected one driver`);
    }
  }
}
