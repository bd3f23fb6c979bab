/** Random flat netlists: every cell type, odd widths, odd wiring, state that reads itself in circles. */
import { randomStream } from '../../core/random.ts';
import type { NetBit, NetlistCell, NetlistModule, NetlistName, NetlistPort } from './netlist.ts';

type Vector = readonly NetBit[];

const binary = [
  ...['$and', '$or', '$xor', '$xnor', '$add', '$sub', '$mul'],
  ...['$lt', '$le', '$gt', '$ge', '$eq', '$ne', '$eqx', '$nex', '$logic_and', '$logic_or'],
];
const divisions = ['$div', '$mod', '$divfloor', '$modfloor'];
const shifts = ['$shl', '$shr', '$sshl', '$sshr', '$shift', '$shiftx'];
const unary = [
  ...['$not', '$neg', '$pos', '$logic_not', '$reduce_bool'],
  ...['$reduce_and', '$reduce_or', '$reduce_xor', '$reduce_xnor'],
];
const special = ['$mux', '$mux', '$pmux', '$bmux', '$demux', '$bwmux', '$bweqx', '$buf'];
/** All combinational cell types; choices twice, since they decide what is computed at all. */
export const combinationalTypes: readonly string[] = [
  ...unary,
  ...binary,
  ...divisions,
  ...shifts,
  ...special,
];

const flipFlops = ['$dff', '$dffe', '$sdff', '$sdffe', '$sdffce', '$adff', '$adffe'];

export interface RandomNetlistSize {
  readonly inputs: number;
  readonly cells: number;
  readonly registers: number;
  readonly memories: number;
  readonly outputs: number;
  /** Types to choose from. */
  readonly types: readonly string[];
}

/** A number as a parameter of so many binary digits. */
const parameter = (value: number, width = 32): string =>
  (value >>> 0).toString(2).padStart(width, '0').slice(-width);

export class RandomNetlist {
  readonly ports = new Map<string, NetlistPort>();
  readonly cells = new Map<string, NetlistCell>();
  readonly names = new Map<string, NetlistName>();
  private readonly next: () => number;
  private readonly pool: Vector[] = [];
  /** A few bits that control many registers, as enables and resets do. */
  private controls: NetBit[] = [];
  private nets = 2;
  private readonly clock: Vector;

  constructor(seed: number) {
    this.next = randomStream(seed);
    this.clock = this.fresh(1);
    this.ports.set('clk', { direction: 'input', bits: this.clock, signed: false });
  }

  module(size: RandomNetlistSize): NetlistModule {
    for (let index = 0; index < size.inputs; index++) {
      const bits = this.fresh(this.width());
      this.pool.push(bits);
      this.ports.set(`in${index}`, { direction: 'input', bits, signed: this.chance(2) });
    }
    this.controls = [0, 1, 2, 3].map(() => this.vector(1)[0]!);
    // State first and its inputs last, so that anything may depend on any state.
    const completions = [
      ...Array.from({ length: size.registers }, (_, index) => this.beginRegister(`r${index}`)),
      ...Array.from({ length: size.memories }, (_, index) => this.beginMemory(`m${index}`)),
    ];
    for (let index = 0; index < size.cells; index++) this.addCell(`c${index}`, this.pick(size.types));
    for (const complete of completions) complete();
    for (let index = 0; index < size.outputs; index++) {
      const whole = this.chance(2) ? this.pick(this.pool) : this.vector(this.width());
      this.ports.set(`out${index}`, { direction: 'output', bits: whole, signed: this.chance(2) });
    }
    for (let index = 0; index < 4; index++) {
      this.names.set(`n${index}`, { bits: this.vector(this.width()), signed: false, initial: '' });
    }
    const { ports, cells, names } = this;
    return { name: 'random', ports, cells, names };
  }

  /** A random value for a port. */
  value(width: number): bigint {
    const extremes = [0n, (1n << BigInt(width)) - 1n, 1n << BigInt(width - 1), 1n];
    if (this.chance(4)) return this.pick(extremes);
    let value = 0n;
    for (let at = 0; at < width; at += 32) value = (value << 32n) | BigInt(this.next());
    return BigInt.asUintN(width, value);
  }

  private addCell(name: string, type: string): void {
    const narrow = divisions.includes(type);
    const width = (): number => (narrow ? 1 + (this.next() % 32) : this.width());
    const signed = this.chance(2);
    const oneSigned = shifts.includes(type) ? this.chance(2) : signed;
    let [a, b, s] = [width(), width(), 0];
    let y = width();
    if (shifts.includes(type)) b = 1 + (this.next() % (this.chance(8) ? 40 : 7));
    if (type === '$mux' || type === '$bwmux' || type === '$bweqx' || type === '$buf') [b, y] = [a, a];
    if (type === '$mux') s = 1;
    if (type === '$bwmux') s = a;
    if (type === '$pmux') [s, y, b] = [1 + (this.next() % 4), a, 0];
    if (type === '$pmux') b = a * s;
    if (type === '$bmux' || type === '$demux') s = 1 + (this.next() % 3);
    if (type === '$bmux') a = y << s;
    if (type === '$demux') y = a << s;
    const hasB = !unary.includes(type) && !['$bmux', '$demux', '$buf'].includes(type);
    const output = this.fresh(y);
    const connections: Record<string, Vector> = { A: this.vector(a), Y: output };
    if (hasB) connections.B = shifts.includes(type) ? this.amount(b) : this.vector(b);
    if (s > 0) connections.S = this.vector(s);
    const plain = type.includes('mux') || type === '$bweqx' || type === '$buf';
    const signs = plain
      ? {}
      : { A_SIGNED: parameter(signed ? 1 : 0), ...(hasB && { B_SIGNED: parameter(oneSigned ? 1 : 0) }) };
    this.cells.set(name, { type, parameters: signs, connections, position: undefined });
    this.pool.push(output);
  }

  private beginRegister(name: string): () => void {
    const type = this.pick(flipFlops);
    const width = this.width();
    const output = this.fresh(width);
    this.pool.push(output);
    const initial = this.chance(2) ? this.value(width).toString(2).padStart(width, '0') : '';
    this.names.set(name, { bits: output, signed: false, initial });
    return () => {
      const parameters: Record<string, string> = { CLK_POLARITY: '1', WIDTH: parameter(width) };
      const connections: Record<string, Vector> = { CLK: this.clock, D: this.vector(width), Q: output };
      if (type.includes('ffe') || type === '$sdffce') {
        connections.EN = [this.pick(this.controls)];
        parameters.EN_POLARITY = parameter(this.next(), 1);
      }
      for (const [prefix, port] of [
        ['$s', 'SRST'],
        ['$a', 'ARST'],
      ] as const) {
        if (!type.startsWith(prefix)) continue;
        // An asynchronous reset out of logic could undo itself without end: inputs only.
        connections[port] = port === 'SRST' ? [this.pick(this.controls)] : [this.ports.get('in0')!.bits[0]!];
        parameters[`${port}_POLARITY`] = parameter(this.next(), 1);
        parameters[`${port}_VALUE`] = this.value(width).toString(2).padStart(width, '0');
      }
      this.cells.set(name, { type, parameters, connections, position: undefined });
    };
  }

  private beginMemory(name: string): () => void {
    const width = this.width();
    const addressBits = 1 + (this.next() % 4);
    const size = 1 + (this.next() % 2 ** addressBits);
    const readPorts = 1 + (this.next() % 3);
    const writePorts = 1 + (this.next() % 2);
    const clocked = this.next() % 2 ** readPorts;
    const data = Array.from({ length: readPorts }, () => this.fresh(width));
    const addresses: Vector[] = [];
    // What is read without a clock may only be used by cells that come after its address.
    data.forEach((bits, port) => {
      addresses.push(((clocked >> port) & 1) === 0 ? this.vector(addressBits) : []);
      this.pool.push(bits);
    });
    return () => {
      data.forEach((_, port) => {
        if (((clocked >> port) & 1) === 1) addresses[port] = this.vector(addressBits);
      });
      const bits = (length: number): string => parameter(this.next(), length);
      const clocks = (length: number): Vector => new Array<NetBit>(length).fill(this.clock[0]!);
      const control = (mask: number): Vector =>
        data.map((_, port) => (((mask >> port) & 1) === 1 ? this.pick(this.controls) : '0'));
      const word = (): string =>
        this.value(width * readPorts)
          .toString(2)
          .padStart(width * readPorts, '0');
      const enables = Array.from({ length: writePorts }, () => this.writeEnable(width)).flat();
      const offset = this.chance(4) ? 1 : 0;
      this.cells.set(name, {
        type: '$mem_v2',
        position: undefined,
        parameters: {
          ...{ WIDTH: parameter(width), SIZE: parameter(size), ABITS: parameter(addressBits) },
          ...{ OFFSET: parameter(offset), RD_PORTS: parameter(readPorts), WR_PORTS: parameter(writePorts) },
          INIT: this.value(width * size)
            .toString(2)
            .padStart(width * size, '0'),
          ...{ RD_CLK_ENABLE: parameter(clocked, readPorts), RD_CLK_POLARITY: '1'.repeat(readPorts) },
          RD_TRANSPARENCY_MASK: bits(readPorts * writePorts),
          ...{ RD_CE_OVER_SRST: bits(readPorts), RD_SRST_VALUE: word(), RD_INIT_VALUE: word() },
          ...{ WR_CLK_ENABLE: '1'.repeat(writePorts), WR_CLK_POLARITY: '1'.repeat(writePorts) },
        },
        connections: {
          ...{ RD_CLK: clocks(readPorts), RD_ADDR: addresses.flat(), RD_DATA: data.flat() },
          RD_EN: data.map((_, port) => (((clocked >> port) & 1) === 1 ? this.pick(this.controls) : '1')),
          ...{ RD_SRST: control(clocked & this.next()), RD_ARST: data.map(() => '0' as const) },
          ...{ WR_CLK: clocks(writePorts), WR_EN: enables },
          WR_ADDR: this.vector(addressBits * writePorts),
          WR_DATA: this.vector(width * writePorts),
        },
      });
    };
  }

  /** One enable for the whole word, one for each lane, or any. */
  private writeEnable(width: number): Vector {
    const kind = this.next() % 3;
    if (kind === 0) return new Array<NetBit>(width).fill(this.pick(this.controls));
    if (kind === 2) return this.vector(width);
    const lanes = [this.pick(this.controls), this.pick(this.controls), '0' as const];
    return Array.from({ length: width }, (_, at) => lanes[Math.floor(at / 8) % lanes.length]!);
  }

  /** A shift amount, at times a multiple of a lane's width. */
  private amount(width: number): Vector {
    if (width < 4 || this.chance(2)) return this.vector(width);
    return ['0', '0', '0', ...this.vector(width - 3)];
  }

  /** Bits from here and there: a whole vector, a part of one, several, constants, copies of a sign. */
  private vector(width: number): NetBit[] {
    const bits: NetBit[] = [];
    while (bits.length < width) {
      const from = this.pick(this.pool);
      const missing = width - bits.length;
      switch (this.next() % 8) {
        case 0:
          bits.push(this.pick(['0', '1', 'x'] as const));
          break;
        case 1:
          bits.push(
            ...new Array<NetBit>(Math.min(missing, 1 + (this.next() % 40))).fill(this.pick(['0', '1'])),
          );
          break;
        case 2: {
          const start = this.next() % from.length;
          bits.push(...from.slice(start, start + Math.min(missing, 1 + (this.next() % from.length))));
          break;
        }
        case 3:
          bits.push(...from.slice(0, missing));
          bits.push(...new Array<NetBit>(width - bits.length).fill(from.at(-1)!));
          break;
        default:
          bits.push(...from.slice(0, missing));
      }
    }
    return bits;
  }

  private fresh(width: number): NetBit[] {
    this.nets += width;
    return Array.from({ length: width }, (_, index) => this.nets - width + index);
  }

  private width(): number {
    const kind = this.next() % 16;
    const [low, span] =
      kind < 4 ? [1, 1] : kind < 8 ? [2, 7] : kind < 12 ? [9, 24] : kind < 15 ? [33, 38] : [71, 60];
    return low + (this.next() % span);
  }

  private chance(of: number): boolean {
    return this.next() % of === 0;
  }

  private pick<Item>(items: readonly Item[]): Item {
    return items[this.next() % items.length]!;
  }
}
