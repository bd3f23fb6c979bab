/**
 * The sequencer in Verilog (docs/machine.md section 3): one command a cycle to its queue, barriers. Tokens are counted where
 * they are taken.
 */
import { type CommandName, formats, opcodeBits } from '../isa/formats.ts';
import { clockPort, resetPort, type VerilogModule, verilogLines, verilogModule } from '../verilog.ts';

const queues = ['load', 'compute', 'store'] as const;

export function commandSequencerVerilog(): VerilogModule {
  const isOf = (queue: string): string =>
    (Object.keys(formats) as CommandName[])
      .filter((name) => formats[name].queue === queue)
      .map((name) => `(opcode == ${opcodeBits}'d${formats[name].opcode})`)
      .join(' | ');
  return verilogModule({
    name: 'command_sequencer',
    about: [
      'Command sequencer: hands the command at the port to its queue, one a cycle; a full queue holds it, and',
      'all behind it, up. A barrier is taken at once and holds up what follows until every unit is idle;',
      '`barrier_passed` is the cycle in which it is passed. An unknown opcode does nothing.',
    ],
    ports: [
      clockPort,
      resetPort,
      { direction: 'input', name: 'command_valid' },
      { direction: 'input', name: 'opcode', width: opcodeBits },
      { direction: 'output', name: 'command_ready' },
      { direction: 'output', name: 'barrier_passed' },
      ...queues.flatMap((queue) => [
        {
          direction: 'output',
          name: `${queue}_valid`,
          meaning: `the command is for the ${queue} queue`,
        } as const,
        { direction: 'input', name: `${queue}_ready`, meaning: 'the queue has a place' } as const,
        { direction: 'input', name: `${queue}_idle`, meaning: 'its unit has nothing left to do' } as const,
      ]),
    ],
    body: verilogLines(`
    reg at_barrier;
    assign barrier_passed = at_barrier & load_idle & compute_idle & store_idle;
    wire held_up = at_barrier & ~barrier_passed;
    wire is_load = ${isOf('load')};
    wire is_compute = ${isOf('compute')};
    wire is_store = ${isOf('store')};
    wire is_barrier = ${isOf('sequencer')};
    wire goes = command_valid & ~held_up;
    assign load_valid = goes & is_load;
    assign compute_valid = goes & is_compute;
    assign store_valid = goes & is_store;
    assign command_ready =
      ~held_up & (load_ready | ~is_load) & (compute_ready | ~is_compute) & (store_ready | ~is_store);
    always @(posedge clk)
      if (rst) at_barrier <= 1'b0;
      else if (goes & is_barrier) at_barrier <= 1'b1;
      else if (barrier_passed) at_barrier <= 1'b0;
    `),
  });
}
