/**
 * Yosys' cell library by the book, bit by bit and on integers of any size: what the compiler is compared with. Slow
 * and plain on purpose, and written from the library's Verilog models alone.
 */
import type { NetBit, NetlistCell, NetlistModule } from './netlist.ts';

/** An operand: its bits as an unsigned integer, its width, and whether the cell takes it as signed. */
interface Operand {
  readonly bits: bigint;
  readonly width: number;
  readonly signed: boolean;
}

const ones = (width: number): bigint => (1n << BigInt(width)) - 1n;
const unsigned = (value: bigint, width: number): bigint => BigInt.asUintN(width, value);
const bool = (condition: boolean): bigint => (condition ? 1n : 0n);
const bitAt = (value: bigint, position: bigint): bigint => (position < 0n ? 0n : (value >> position) & 1n);

function parity(value: bigint): bigint {
  let rest = value;
  let ones = 0n;
  for (; rest !== 0n; rest >>= 1n) ones ^= rest & 1n;
  return ones;
}

/** The number that an operand stands for. */
function numberOf({ bits, width }: Operand, signed: boolean): bigint {
  return signed ? BigInt.asIntN(width, bits) : bits;
}

function floorDivide(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  return a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient;
}

/** The output of a combinational cell, as an unsigned integer of `width` bits. */
function cellOutput(type: string, a: Operand, b: Operand, s: Operand, width: number): bigint {
  const signed = a.signed && b.signed;
  const [x, y] = [numberOf(a, signed), numberOf(b, signed)];
  const own = numberOf(a, a.signed);
  const rules: Record<string, () => bigint> = {
    $not: () => ~own,
    $pos: () => own,
    $buf: () => own,
    $neg: () => -own,
    $and: () => x & y,
    $or: () => x | y,
    $xor: () => x ^ y,
    $xnor: () => ~(x ^ y),
    $bweqx: () => ~(x ^ y),
    $bwmux: () => (a.bits & ~s.bits) | (b.bits & s.bits),
    $reduce_and: () => bool(a.bits === ones(a.width)),
    $reduce_or: () => bool(a.bits !== 0n),
    $reduce_bool: () => bool(a.bits !== 0n),
    $reduce_xor: () => parity(a.bits),
    $reduce_xnor: () => 1n - parity(a.bits),
    $logic_not: () => bool(a.bits === 0n),
    $logic_and: () => bool(a.bits !== 0n && b.bits !== 0n),
    $logic_or: () => bool(a.bits !== 0n || b.bits !== 0n),
    $eq: () => bool(x === y),
    $eqx: () => bool(x === y),
    $ne: () => bool(x !== y),
    $nex: () => bool(x !== y),
    $lt: () => bool(x < y),
    $le: () => bool(x <= y),
    $gt: () => bool(x > y),
    $ge: () => bool(x >= y),
    $add: () => x + y,
    $sub: () => x - y,
    $mul: () => x * y,
    $div: () => (y === 0n ? 0n : x / y),
    $mod: () => (y === 0n ? 0n : x % y),
    $divfloor: () => (y === 0n ? 0n : floorDivide(x, y)),
    $modfloor: () => (y === 0n ? 0n : x - y * floorDivide(x, y)),
    $shl: () => shifted(own, -b.bits, width),
    $sshl: () => shifted(own, -b.bits, width),
    $shr: () => shifted(unsigned(own, Math.max(width, a.width)), b.bits, width),
    $sshr: () => shifted(a.signed ? own : a.bits, b.bits, width),
    $shift: () => shifted(unsigned(own, Math.max(width, a.width)), numberOf(b, b.signed), width),
    $shiftx: () => shifted(a.bits, numberOf(b, b.signed), width),
    $bmux: () => a.bits >> (s.bits * BigInt(width)),
    $demux: () => a.bits << (s.bits * BigInt(a.width)),
    $mux: () => (s.bits === 0n ? a.bits : b.bits),
    $pmux: () => {
      for (let index = 0; index < s.width; index++) {
        if (bitAt(s.bits, BigInt(index)) === 1n) return b.bits >> BigInt(index * width);
      }
      return a.bits;
    },
  };
  const rule = rules[type];
  if (rule === undefined) throw new Error(`no definition of ${type}`);
  return unsigned(rule(), width);
}

/** `width` bits of an integer from bit `from` on, which may be negative. */
function shifted(value: bigint, from: bigint, width: number): bigint {
  let result = 0n;
  for (let index = 0; index < width; index++) {
    result |= bitAt(value, from + BigInt(index)) << BigInt(index);
  }
  return result;
}

interface ReferenceMemory {
  readonly cell: NetlistCell;
  readonly words: bigint[];
  readonly width: number;
  readonly offset: number;
}

/** A module of a netlist that runs: inputs are set, `get` evaluates afresh, `clock` is one edge. */
export class ReferenceModel {
  private readonly module: NetlistModule;
  private readonly drivers = new Map<
    number,
    { readonly name: string; readonly port: string; readonly at: number }
  >();
  private readonly inputs = new Map<string, bigint>();
  /** What each register and clocked read port holds, by cell and port. */
  private readonly held = new Map<string, bigint>();
  private readonly memories = new Map<string, ReferenceMemory>();
  private values = new Map<string, bigint>();

  constructor(module: NetlistModule) {
    this.module = module;
    for (const [name, { direction }] of module.ports) if (direction === 'input') this.inputs.set(name, 0n);
    for (const [name, cell] of module.cells) {
      for (const port of ['Y', 'Q']) this.drive(name, port, cell.connections[port] ?? []);
      if (cell.connections.Q !== undefined) this.held.set(`${name}.Q`, this.initialOf(cell.connections.Q));
      if (cell.type === '$mem_v2') this.addMemory(name, cell);
    }
    for (const [name, { direction, bits }] of module.ports) {
      if (direction !== 'input') continue;
      this.drive(name, 'input', bits);
    }
  }

  private drive(name: string, port: string, nets: readonly NetBit[]): void {
    nets.forEach((net, at) => {
      if (typeof net === 'number') this.drivers.set(net, { name, port, at });
    });
  }

  set(name: string, value: bigint): void {
    this.inputs.set(name, unsigned(value, this.module.ports.get(name)!.bits.length));
    this.values.clear();
  }

  get(name: string): bigint {
    return this.read(this.module.ports.get(name)!.bits);
  }

  signal(name: string): bigint {
    return this.read(this.module.names.get(name)!.bits);
  }

  private read(bits: readonly NetBit[]): bigint {
    this.resetAsynchronously();
    return this.vector(bits);
  }

  clock(): void {
    this.resetAsynchronously();
    const next = new Map<string, bigint>();
    const writes: (() => void)[] = [];
    for (const [name, cell] of this.module.cells) {
      if (cell.connections.Q !== undefined) next.set(`${name}.Q`, this.nextOf(name, cell));
      const memory = this.memories.get(name);
      if (memory === undefined) continue;
      for (let port = 0; port < number(cell, 'RD_PORTS'); port++) {
        if (bit(cell, 'RD_CLK_ENABLE', port)) next.set(`${name}.${port}`, this.nextRead(name, memory, port));
      }
      for (let port = 0; port < number(cell, 'WR_PORTS'); port++) {
        const { address, data, enable } = this.writeOf(memory, port);
        const index = address - memory.offset;
        if (index < 0 || index >= memory.words.length) continue;
        writes.push(() => {
          memory.words[index] = (memory.words[index]! & ~enable) | (data & enable);
        });
      }
    }
    for (const write of writes) write();
    for (const [name, value] of next) this.held.set(name, value);
    this.values.clear();
  }

  words(memory: string): readonly bigint[] {
    return this.memories.get(memory)!.words;
  }

  private addMemory(name: string, cell: NetlistCell): void {
    const [width, size] = [number(cell, 'WIDTH'), number(cell, 'SIZE')];
    const image = digits(cell.parameters.INIT ?? '');
    const words = Array.from({ length: size }, (_, index) => unsigned(image >> BigInt(index * width), width));
    this.memories.set(name, { cell, words, width, offset: number(cell, 'OFFSET') });
    const initial = digits(cell.parameters.RD_INIT_VALUE ?? '');
    for (let port = 0; port < number(cell, 'RD_PORTS'); port++) {
      this.held.set(`${name}.${port}`, unsigned(initial >> BigInt(port * width), width));
      this.drive(name, `${port}`, cell.connections.RD_DATA!.slice(port * width, (port + 1) * width));
    }
  }

  private initialOf(nets: readonly NetBit[]): bigint {
    let value = 0n;
    for (const { bits, initial } of this.module.names.values()) {
      bits.forEach((net, at) => {
        const position = nets.indexOf(net);
        if (typeof net !== 'number' || position < 0) return;
        if (initial[initial.length - 1 - at] === '1') value |= 1n << BigInt(position);
      });
    }
    return value;
  }

  private resetAsynchronously(): void {
    // As many times as there may be resets that depend on each other.
    for (let round = 0; round < 4; round++) {
      for (const [name, cell] of this.module.cells) {
        const { ARST } = cell.connections;
        if (ARST === undefined) continue;
        if (this.active(cell, 'ARST')) this.held.set(`${name}.Q`, digits(cell.parameters.ARST_VALUE ?? ''));
      }
      this.values.clear();
    }
  }

  private active(cell: NetlistCell, port: string): boolean {
    return this.vector(cell.connections[port]!) === BigInt(number(cell, `${port}_POLARITY`));
  }

  private nextOf(name: string, cell: NetlistCell): bigint {
    const { EN, SRST, ARST, D } = cell.connections;
    const enabled = EN === undefined || this.active(cell, 'EN');
    const held = this.held.get(`${name}.Q`)!;
    if (ARST !== undefined && this.active(cell, 'ARST')) return held;
    const reset = SRST !== undefined && this.active(cell, 'SRST');
    if (reset && (enabled || cell.type !== '$sdffce')) return digits(cell.parameters.SRST_VALUE ?? '');
    return enabled ? this.vector(D!) : held;
  }

  private nextRead(name: string, memory: ReferenceMemory, port: number): bigint {
    const { cell, width } = memory;
    const enabled = this.part(cell, 'RD_EN', port, 1) === 1n;
    const reset = this.part(cell, 'RD_SRST', port, 1) === 1n;
    if (reset && (enabled || !bit(cell, 'RD_CE_OVER_SRST', port))) {
      return unsigned(digits(cell.parameters.RD_SRST_VALUE!) >> BigInt(port * width), width);
    }
    if (!enabled) return this.held.get(`${name}.${port}`)!;
    const address = Number(this.part(cell, 'RD_ADDR', port, number(cell, 'ABITS')));
    let word = memory.words[address - memory.offset] ?? 0n;
    for (let other = 0; other < number(cell, 'WR_PORTS'); other++) {
      if (!bit(cell, 'RD_TRANSPARENCY_MASK', port * number(cell, 'WR_PORTS') + other)) continue;
      const write = this.writeOf(memory, other);
      if (write.address === address) word = (word & ~write.enable) | (write.data & write.enable);
    }
    return word;
  }

  private writeOf({ cell, width }: ReferenceMemory, port: number) {
    return {
      address: Number(this.part(cell, 'WR_ADDR', port, number(cell, 'ABITS'))),
      data: this.part(cell, 'WR_DATA', port, width),
      enable: this.part(cell, 'WR_EN', port, width),
    };
  }

  private part(cell: NetlistCell, connection: string, port: number, width: number): bigint {
    return this.vector(cell.connections[connection]!.slice(port * width, (port + 1) * width));
  }

  private vector(nets: readonly NetBit[]): bigint {
    let value = 0n;
    nets.forEach((net, at) => {
      value |= this.bit(net) << BigInt(at);
    });
    return value;
  }

  private bit(net: NetBit): bigint {
    if (typeof net !== 'number') return net === '1' ? 1n : 0n;
    const driver = this.drivers.get(net);
    if (driver === undefined) return 0n;
    return bitAt(this.driven(driver.name, driver.port), BigInt(driver.at));
  }

  private driven(name: string, port: string): bigint {
    if (port === 'input') return this.inputs.get(name)!;
    const cell = this.module.cells.get(name)!;
    if (port === 'Q') return this.held.get(`${name}.Q`)!;
    const key = `${name}.${port}`;
    const known = this.values.get(key);
    if (known !== undefined) return known;
    const value = port === 'Y' ? this.combinational(cell) : this.readPort(name, Number(port));
    this.values.set(key, value);
    return value;
  }

  private readPort(name: string, port: number): bigint {
    const { cell, words, offset } = this.memories.get(name)!;
    if (bit(cell, 'RD_CLK_ENABLE', port)) return this.held.get(`${name}.${port}`)!;
    return words[Number(this.part(cell, 'RD_ADDR', port, number(cell, 'ABITS'))) - offset] ?? 0n;
  }

  private combinational(cell: NetlistCell): bigint {
    const { A = [], B = [], S = [], Y = [] } = cell.connections;
    const operand = (nets: readonly NetBit[], port: string): Operand => {
      const signed = cell.parameters[`${port}_SIGNED`]?.endsWith('1') ?? false;
      return { bits: this.vector(nets), width: nets.length, signed };
    };
    return cellOutput(cell.type, operand(A, 'A'), operand(B, 'B'), operand(S, 'S'), Y.length);
  }
}

/** Binary digits as an integer, undefined ones as 0. */
function digits(text: string): bigint {
  return BigInt(`0b0${text.replace(/[^01]/g, '0')}`);
}

function number(cell: NetlistCell, parameter: string): number {
  return Number(BigInt.asIntN(32, digits(cell.parameters[parameter] ?? '0')));
}

function bit(cell: NetlistCell, parameter: string, index: number): boolean {
  return bitAt(digits(cell.parameters[parameter] ?? ''), BigInt(index)) === 1n;
}
