/**
 * The whole accelerator in Verilog: sequencer, read DMA, compute side, write DMA. Programs come in a command at a time from a
 * memory outside; DRAM is outside too.
 */
import { computeModules } from '../compute/core-verilog.ts';
import { fillPorts, readPorts } from '../dma/load-verilog.ts';
import { type DmaShape, dmaShape } from '../dma/shape.ts';
import { movePorts, writePorts } from '../dma/store-verilog.ts';
import { dmaModules } from '../dma/verilog.ts';
import { opcodeBits } from '../isa/formats.ts';
import { commandBits } from '../isa/verilog.ts';
import { commandSequencerVerilog } from '../sequencer/verilog.ts';
import {
  type CountedModule,
  clockPort,
  type Port,
  range,
  resetPort,
  type VerilogModule,
  verilogLines,
  verilogModule,
} from '../verilog.ts';
import type { MachineConfig } from './config.ts';

/** Name of the top module. */
export const acceleratorModule = 'accelerator';

/** Bits of the port `tokens`, from 0 on. */
export const tokenNames = [
  'load_to_compute',
  'compute_to_load',
  'compute_to_store',
  'store_to_compute',
] as const;

/** Every module of the machine, the top one first. Throws an `InputError` for a machine that the Verilog cannot express. */
export function acceleratorModules(machine: MachineConfig): readonly CountedModule[] {
  return [
    { ...acceleratorVerilog(machine, dmaShape(machine)), count: 1 },
    { ...commandSequencerVerilog(), count: 1 },
    ...dmaModules(machine),
    ...computeModules(machine),
  ];
}

/** Bits of a command's word that any unit looks at. */
export function acceleratorCommandBits(): number {
  return Math.max(...(['load', 'compute', 'postProcess', 'move'] as const).map(commandBits));
}

function acceleratorVerilog(machine: MachineConfig, shape: DmaShape): VerilogModule {
  const command = acceleratorCommandBits();
  const compute = Math.max(commandBits('compute'), commandBits('postProcess'));
  const connect = (ports: readonly { name: string }[]): string =>
    ports.map(({ name }) => `.${name}(${name})`).join(',\n      ');
  const fills = fillPorts(shape);
  const { word, wordBytes } = shape.output;
  return verilogModule({
    name: acceleratorModule,
    about: [
      `The whole accelerator of ${machine.name.replace(/[^\x20-\x7e]/g, '?')}. It takes a program's commands one by one, and has a read and a`,
      'write port to a memory that answers each in the order of its transactions.',
    ],
    ports: [
      clockPort,
      resetPort,
      { direction: 'input', name: 'command_valid' },
      {
        direction: 'input',
        name: 'command',
        width: command,
        meaning: "low bits of the instruction set's word",
      },
      { direction: 'output', name: 'command_ready' },
      { direction: 'output', name: 'barrier_passed', meaning: 'a step is over' },
      {
        direction: 'output',
        name: 'tokens',
        width: tokenNames.length,
        meaning:
          'given in this cycle, for counters: from bit 0 on as in the concatenation below, right to left',
      },
      ...readPorts(shape),
      ...writePorts(shape),
    ],
    body: [
      ...verilogLines(`
      wire load_valid, load_ready, load_idle, compute_valid, compute_ready, compute_idle;
      wire store_valid, store_ready, store_idle;
      command_sequencer sequencer (
        .clk(clk),
        .rst(rst),
        .command_valid(command_valid),
        .opcode(command${range(opcodeBits)}),
        .command_ready(command_ready),
        .barrier_passed(barrier_passed),
        ${connect(['load', 'compute', 'store'].flatMap((queue) => ['valid', 'ready', 'idle'].map((wire) => ({ name: `${queue}_${wire}` }))))}
      );

      // Tokens between the queues.
      wire ${tokenNames.join(', ')};
      `),
      `assign tokens = {${tokenNames.toReversed().join(', ')}};`,
      ...fills.map(({ name, width }: Port) => `wire ${range(width!)} ${name};`),
      ...(shape.moves
        ? [
            'wire feature_busy;',
            ...fills
              .filter(({ name }) => name.startsWith('feature'))
              .flatMap(({ name, width }) => [
                `wire ${range(width!)} ${name.replace('feature', 'load')}, ${name.replace('feature', 'move')};`,
              ]),
            '// One of both engines writes the feature buffer at a time.',
            'assign feature_write = load_write | move_write;',
            'assign feature_write_word = (|move_write) ? move_write_word : load_write_word;',
            'assign feature_write_data = (|move_write) ? move_write_data : load_write_data;',
          ]
        : []),
      ...verilogLines(`
      load_dma load (
        .clk(clk),
        .rst(rst),
        .command_valid(load_valid),
        .command(command${range(shape.command)}),
        .command_ready(load_ready),
        .idle(load_idle),
        .from_compute(compute_to_load),
        .to_compute(load_to_compute),
        ${connect([...readPorts(shape), ...(shape.moves ? [{ name: 'feature_busy' }] : [])])},
        ${fills.map(({ name }) => `.${name}(${shape.moves && name.startsWith('feature') ? name.replace('feature', 'load') : name})`).join(',\n      ')}
      );

      wire ${range(word)} output_read_word;
      wire ${range(8 * wordBytes)} output_read_data;
      compute_core core (
        .clk(clk),
        .rst(rst),
        .command_valid(compute_valid),
        .command(command${range(compute)}),
        .command_ready(compute_ready),
        .idle(compute_idle),
        .from_load(load_to_compute),
        .from_store(store_to_compute),
        .to_load(compute_to_load),
        .to_store(compute_to_store),
        ${connect([...fills, { name: 'output_read_word' }, { name: 'output_read_data' }])}
      );

      store_dma store (
        .clk(clk),
        .rst(rst),
        .command_valid(store_valid),
        .command(command${range(shape.command)}),
        .command_ready(store_ready),
        .idle(store_idle),
        .from_compute(compute_to_store),
        .to_compute(store_to_compute),
        ${connect([...writePorts(shape), ...movePorts(shape), { name: 'output_read_word' }, { name: 'output_read_data' }])}
      );
      `),
    ],
  });
}

/** Bits that the command queues store; small memories that are neither buffers nor logic. Throws as `acceleratorModules`. */
export function queueBits(machine: MachineConfig): number {
  const shape = dmaShape(machine);
  const compute = Math.max(commandBits('compute'), commandBits('postProcess'));
  return machine.sequencer.queueDepth * (compute + 2 * shape.command) + shape.outstandingWrites;
}
