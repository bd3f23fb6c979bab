/** Yosys' `$mem_v2` as a memory with write ports, read nodes and, for clocked read ports, registers behind them. */
import { InputError } from '../../core/diagnostics.ts';
import {
  bitsOf,
  extend,
  type Memory,
  type Node,
  type Register,
  type Reset,
  type WritePort,
} from './design.ts';
import type { Drivers } from './drivers.ts';
import type { NetBit, NetlistCell } from './netlist.ts';
import { constantBits, digit, integer } from './parameters.ts';

/** Bits of a memory beyond which it is refused: 64 MiB. */
const maximumBits = 2 ** 29;

/** What a memory cell becomes. */
export interface LoweredMemory {
  readonly memory: Memory;
  readonly nodes: readonly Node[];
  readonly registers: readonly Register[];
}

/**
 * Declares the read ports of a memory; the function returned makes the rest, given the memory's number.
 *
 * A clocked port reads what the memory held before the edge, except from write ports it is transparent to, whose
 * data it sees. Where Yosys allows x on a collision, the old word is read.
 */
export function lowerMemory(
  drivers: Drivers,
  name: string,
  cell: NetlistCell,
): (index: number) => LoweredMemory {
  const [width, size, addressBits] = [integer(cell, 'WIDTH'), integer(cell, 'SIZE'), integer(cell, 'ABITS')];
  const [readPorts, writePorts] = [integer(cell, 'RD_PORTS'), integer(cell, 'WR_PORTS')];
  if (width < 1 || size < 1 || width * size > maximumBits) {
    throw new InputError(`netlist: the memory ${name} has ${size} words of ${width} bits`, cell.position);
  }
  refuseWidePorts(name, cell);
  const flagOf = (parameter: string, port: number): boolean =>
    digit(cell.parameters[parameter] ?? '', port) === 1;
  const slice = (connection: string, port: number, bits: number): readonly NetBit[] =>
    (cell.connections[connection] ?? []).slice(port * bits, (port + 1) * bits);
  const outputs = Array.from({ length: readPorts }, (_, port) => {
    const clocked = flagOf('RD_CLK_ENABLE', port);
    return drivers.declare(`${name}.read${port}`, slice('RD_DATA', port, width), clocked ? 'state' : 'value');
  });

  return (index) => {
    const nodes: Node[] = [];
    const registers: Register[] = [];
    const ports = Array.from({ length: writePorts }, (_, port): WritePort => {
      if (!flagOf('WR_CLK_ENABLE', port)) {
        throw new InputError(`netlist: the memory ${name} is written without a clock`, cell.position);
      }
      drivers.clockedBy(slice('WR_CLK', port, 1), flagOf('WR_CLK_POLARITY', port), name, cell);
      return {
        address: drivers.resolve(slice('WR_ADDR', port, addressBits)),
        data: drivers.resolve(slice('WR_DATA', port, width)),
        enable: drivers.resolve(slice('WR_EN', port, width)),
      };
    });
    const offset = integer(cell, 'OFFSET');
    const initial = cell.parameters.INIT ?? '';
    const memory: Memory = { index, name, width, size, offset, writePorts: ports, initial };
    outputs.forEach((variable, port) => {
      const address = drivers.resolve(slice('RD_ADDR', port, addressBits));
      if (variable.kind === 'value') {
        nodes.push({ kind: 'read', memory, address, bypass: [], output: variable });
        return;
      }
      drivers.clockedBy(slice('RD_CLK', port, 1), flagOf('RD_CLK_POLARITY', port), name, cell);
      if (drivers.resolve(slice('RD_ARST', port, 1))[0] !== 0) {
        throw new InputError(`netlist: a read port of ${name} has an asynchronous reset`, cell.position);
      }
      const bypass = ports.filter((_, other) => flagOf('RD_TRANSPARENCY_MASK', port * writePorts + other));
      const word = drivers.variables.add(`${name}.word${port}`, width, 'value');
      nodes.push({ kind: 'read', memory, address, bypass, output: word });
      const constant = (parameter: string) =>
        extend(constantBits(cell, parameter).slice(port * width), width, false);
      const reset: Reset = {
        control: drivers.control(slice('RD_SRST', port, 1), true),
        value: constant('RD_SRST_VALUE'),
      };
      const enable = drivers.control(slice('RD_EN', port, 1), true);
      registers.push({
        variable,
        data: bitsOf(word),
        enable: enable.bits[0] === 1 ? undefined : enable,
        reset: reset.control.bits[0] === 0 ? undefined : reset,
        resetNeedsEnable: flagOf('RD_CE_OVER_SRST', port),
        initial: constant('RD_INIT_VALUE'),
      });
    });
    return { memory, nodes, registers };
  };
}

/** Ports that move several words at once come from passes that the elaboration here does not run. */
function refuseWidePorts(name: string, cell: NetlistCell): void {
  for (const parameter of ['RD_WIDE_CONTINUATION', 'WR_WIDE_CONTINUATION']) {
    if (cell.parameters[parameter]?.includes('1')) {
      throw new InputError(`netlist: the memory ${name} has a port of several words`, cell.position);
    }
  }
}
