/**
 * Yosys' netlist as JSON (`write_json`): the part of its shape that is used here, and a check of it.
 *
 * Every net is a number; a vector is a list of nets, least significant first. A constant bit stands in the list as
 * a character. Parameters are strings of binary digits, most significant first.
 */
import { InputError, type SourcePosition } from '../../core/diagnostics.ts';

/** One bit of a vector: the number of its net, or a constant. */
export type NetBit = number | '0' | '1' | 'x' | 'z';

export interface NetlistPort {
  readonly direction: 'input' | 'output' | 'inout';
  readonly bits: readonly NetBit[];
  /** Declared `signed`. */
  readonly signed: boolean;
}

export interface NetlistCell {
  /** `$add` and the like, or the name of a module that was not flattened. */
  readonly type: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly connections: Readonly<Record<string, readonly NetBit[]>>;
  /** Where the Verilog stands that the cell was made from. */
  readonly position: SourcePosition | undefined;
}

/** A declared wire or register, with its hierarchical name (`unit.register`). */
export interface NetlistName {
  readonly bits: readonly NetBit[];
  readonly signed: boolean;
  /** Power-on value, most significant bit first; empty if none was given. */
  readonly initial: string;
}

export interface NetlistModule {
  readonly name: string;
  readonly ports: ReadonlyMap<string, NetlistPort>;
  readonly cells: ReadonlyMap<string, NetlistCell>;
  readonly names: ReadonlyMap<string, NetlistName>;
}

/** The modules of a design by name. */
export type Netlist = ReadonlyMap<string, NetlistModule>;

/** Reads what `write_json` wrote; throws an `InputError` that names the first thing that is not as expected. */
export function parseNetlist(text: string): Netlist {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InputError(`netlist: not JSON (${(error as Error).message})`);
  }
  const modules = entries(fieldOf(value, 'modules', 'netlist'), 'netlist.modules');
  return new Map(modules.map(([name, module]) => [name, readModule(name, module)]));
}

function readModule(name: string, value: unknown): NetlistModule {
  const read = <Read>(field: string, convert: (value: unknown, path: string) => Read): Map<string, Read> => {
    const listed = entries(fieldOf(value, field, name), `${name}.${field}`);
    return new Map(listed.map(([key, entry]) => [key, convert(entry, `${name}.${key}`)]));
  };
  return {
    name,
    ports: read('ports', readPort),
    cells: read('cells', readCell),
    names: read('netnames', readName),
  };
}

function readPort(value: unknown, path: string): NetlistPort {
  const direction = fieldOf(value, 'direction', path);
  if (direction !== 'input' && direction !== 'output' && direction !== 'inout') {
    throw new InputError(`netlist: ${path} has the direction ${String(direction)}`);
  }
  return { direction, bits: readBits(fieldOf(value, 'bits', path), path), signed: isSigned(value) };
}

function readCell(value: unknown, path: string): NetlistCell {
  const type = fieldOf(value, 'type', path);
  if (typeof type !== 'string') throw new InputError(`netlist: the type of ${path} is no string`);
  const parameters = entries(fieldOf(value, 'parameters', path), path).map(([key, parameter]) => {
    if (typeof parameter !== 'string') throw new InputError(`netlist: ${path}.${key} is no string`);
    return [key, parameter] as const;
  });
  const connections = entries(fieldOf(value, 'connections', path), path).map(
    ([key, bits]) => [key, readBits(bits, `${path}.${key}`)] as const,
  );
  return {
    type,
    parameters: Object.fromEntries(parameters),
    connections: Object.fromEntries(connections),
    position: positionOf(attribute(value, 'src')),
  };
}

function readName(value: unknown, path: string): NetlistName {
  return {
    bits: readBits(fieldOf(value, 'bits', path), path),
    signed: isSigned(value),
    initial: attribute(value, 'init') ?? '',
  };
}

function readBits(value: unknown, path: string): NetBit[] {
  if (!Array.isArray(value)) throw new InputError(`netlist: ${path} has no list of bits`);
  for (const bit of value) {
    const known = typeof bit === 'number' ? Number.isInteger(bit) : ['0', '1', 'x', 'z'].includes(bit);
    if (!known) throw new InputError(`netlist: ${path} has the bit ${JSON.stringify(bit)}`);
  }
  return value;
}

function fieldOf(value: unknown, field: string, path: string): unknown {
  const found = isRecord(value) ? value[field] : undefined;
  if (found === undefined) throw new InputError(`netlist: ${path} has no ${field}`);
  return found;
}

function entries(value: unknown, path: string): [string, unknown][] {
  if (!isRecord(value)) throw new InputError(`netlist: ${path} is no table`);
  return Object.entries(value);
}

function attribute(value: unknown, name: string): string | undefined {
  const attributes = isRecord(value) ? value.attributes : undefined;
  const found = isRecord(attributes) ? attributes[name] : undefined;
  return typeof found === 'string' ? found : undefined;
}

const isSigned = (value: unknown): boolean => isRecord(value) && value.signed === 1;

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `file.v:3.5-3.9` as a position; of several that were merged, the first. */
function positionOf(source: string | undefined): SourcePosition | undefined {
  const match = /^([^|]+?):(\d+)(?:\.(\d+))?/.exec(source ?? '');
  if (match === null) return undefined;
  const [, file, line, column] = match;
  return { file: file!, line: Number(line), ...(column === undefined ? {} : { column: Number(column) }) };
}
