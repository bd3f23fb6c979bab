/** Widths that the Verilog of both DMA engines shares; all from the machine's literals. */
import { InputError } from '../../core/diagnostics.ts';
import { beatBytes } from '../buffers/beats.ts';
import { wideShape } from '../buffers/wide-verilog.ts';
import { computeShape } from '../compute/shape.ts';
import { formats } from '../isa/formats.ts';
import { commandBits } from '../isa/verilog.ts';
import type { MachineConfig } from '../machine/config.ts';
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
  /** Bits of a transfer's command. */
  readonly command: number;
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
}

/** Throws an `InputError` that names the field where the machine is one the Verilog cannot express. */
export function dmaShape(machine: MachineConfig): DmaShape {
  const { dma, sequencer, postProcessing } = machine;
  if (dma.descriptorCycles < 2) {
    throw new InputError(
      `dma.descriptorCycles is ${dma.descriptorCycles}, expected at least 2: the Verilog decodes a transfer and reads the first beat`,
    );
  }
  const { feature, weights, parameters, output, stored } = computeShape(machine);
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
  return {
    command: commandBits('load'),
    burstBytes: dma.burstBytes,
    burst: Math.log2(dma.burstBytes),
    descriptorCycles: dma.descriptorCycles,
    queueDepth: sequencer.queueDepth,
    outstandingReads: dma.outstandingReads,
    outstandingWrites: dma.outstandingWrites,
    targets,
    output: wide('output', output),
    wideBytes: Math.max(...targets.map((target) => target.beatBytes)),
  };
}

/** Bits of a field of a transfer. */
export function transferBits(name: (typeof formats)['load']['fields'][number]['name']): number {
  return formats.load.fields.find((field) => field.name === name)!.bits;
}

/** Bits of a number of transactions under way. */
export function outstandingBits(limit: number): number {
  return bitsFor(limit);
}
