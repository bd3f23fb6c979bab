/** Widths that the Verilog of both DMA engines shares; all from the machine's literals. */
import { InputError } from '../../core/diagnostics.ts';
import { beatBytes } from '../buffers/beats.ts';
import { wideShape } from '../buffers/wide-verilog.ts';
import { computeShape } from '../compute/shape.ts';
import type { formats } from '../isa/formats.ts';
import { commandBits, fieldSlice } from '../isa/verilog.ts';
import { bufferBytes, type MachineConfig } from '../machine/config.ts';
import { tableWordAddressBits } from '../requantise/table-verilog.ts';
import { bitsFor } from '../verilog.ts';

/** Bits of the token counters: no queue lets more commands than this pass. */
export const tokenBits = 12;

/** How a buffer's word port looks from the DMA. All sizes are powers of two. */
export interface WordPort {
  /** Ports are `<name>_write`, `<name>_write_word` and `<name>_write_data`. */
  readonly name: 'feature' | 'weight' | 'parameter' | 'table' | 'output';
  /** Bytes that have an enable of their own. */
  readonly unitBytes: number;
  readonly wordBytes: number;
  readonly beatBytes: number;
  /** Bits of a word's number. */
  readonly word: number;
}

export interface DmaShape {
  /** Bits of a transfer's command, and of a move's. */
  readonly command: number;
  /** Whether the write engine moves maps into the feature buffer. */
  readonly moves: boolean;
  readonly burstBytes: number;
  /** log2 of it. */
  readonly burst: number;
  readonly descriptorCycles: number;
  readonly queueDepth: number;
  readonly outstandingReads: number;
  readonly outstandingWrites: number;
  /** Buffers that loads fill. */
  readonly targets: readonly WordPort[];
  readonly output: WordPort;
  /** The widest beat of a load. */
  readonly wideBytes: number;
  /** Bits of a byte's address in a buffer, and of a number of bytes or segments of a transfer, which fit one. */
  readonly address: number;
  readonly size: number;
}

/** Throws an `InputError` that names the field where the machine is one the Verilog cannot express. */
export function dmaShape(machine: MachineConfig): DmaShape {
  const { dma, sequencer, postProcessing } = machine;
  // First: what kind of array and memory there is RTL of.
  const { feature, weights, parameters, output, stored } = computeShape(machine);
  if (dma.descriptorCycles < 2) {
    throw new InputError(
      `dma.descriptorCycles is ${dma.descriptorCycles}, expected at least 2: the Verilog decodes a transfer and reads the first beat`,
    );
  }
  const port = (
    name: WordPort['name'],
    banks: number,
    bits: number,
    word: number,
    unitBytes = bits / 8,
  ): WordPort => ({
    name,
    unitBytes,
    wordBytes: (banks * bits) / 8,
    beatBytes: beatBytes(machine, name),
    word,
  });
  const wide = (name: WordPort['name'], buffer: typeof weights): WordPort => {
    const { banks, word } = wideShape(buffer);
    return port(name, banks, buffer.bits, word);
  };
  const targets = [
    port('feature', feature.banks, feature.bits, feature.word),
    wide('weight', weights),
    wide('parameter', parameters),
    ...(postProcessing.requantise.lookupTable === null
      ? []
      : [port('table', 1, stored, tableWordAddressBits(machine), 1)]),
  ];
  const ports = [...targets, wide('output', output)];
  const burst = Math.log2(dma.burstBytes);
  const capacity = Math.max(...ports.map(({ name }) => bufferBytes(machine, name)));
  return {
    command: Math.max(commandBits('load'), dma.moves ? commandBits('move') : 0),
    moves: dma.moves,
    burstBytes: dma.burstBytes,
    burst,
    descriptorCycles: dma.descriptorCycles,
    queueDepth: sequencer.queueDepth,
    outstandingReads: dma.outstandingReads,
    outstandingWrites: dma.outstandingWrites,
    targets,
    output: wide('output', output),
    wideBytes: Math.max(...targets.map((target) => target.beatBytes)),
    // More than a burst, so that a transaction's bytes can be added.
    address: Math.max(burst + 2, ...ports.map(({ wordBytes, word }) => Math.log2(wordBytes) + word)),
    size: Math.max(burst + 2, bitsFor(capacity)),
  };
}

/** Bits of a DRAM address. */
export const dramAddressBits = 32;

type DmaCommand = 'load' | 'move';
type FieldOf<N extends DmaCommand> = (typeof formats)[N]['fields'][number]['name'];

/** The low `bits` bits of a field of the command in the vector `word`; zeros above those it has. */
export function lowField<N extends DmaCommand = 'load'>(
  word: string,
  name: FieldOf<N>,
  bits: number,
  command: DmaCommand = 'load',
): string {
  const [high = 0, low = high] = fieldSlice(command, name as never)
    .match(/\d+/g)!
    .map(Number);
  const has = high - low + 1;
  const slice = `${word}[${low + Math.min(bits, has) - 1}:${low}]`;
  return bits > has ? `{${bits - has}'d0, ${slice}}` : slice;
}

/** Bits of a number of transactions under way. */
export function outstandingBits(limit: number): number {
  return bitsFor(limit);
}
