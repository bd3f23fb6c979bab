/**
 * The queue of a DMA engine in Verilog. A transfer keeps its place until it is complete, so that the side that issues
 * transactions and the side that hears their answers read the same memory.
 */
import {
  bitsFor,
  type CountedModule,
  clockPort,
  literal,
  range,
  resetPort,
  verilogLines,
  verilogModule,
} from '../verilog.ts';
import type { DmaShape } from './shape.ts';

/** The queue and its memory, one for each engine. */
export function transferQueueModules({ queueDepth: depth, command }: DmaShape): readonly CountedModule[] {
  const place = bitsFor(depth - 1);
  const count = bitsFor(depth);
  const next = (name: string): string =>
    2 ** place === depth
      ? `${name} + ${literal(place, 1)}`
      : `(${name} == ${literal(place, depth - 1)}) ? ${literal(place, 0)} : ${name} + ${literal(place, 1)}`;
  const queue = verilogModule({
    name: 'transfer_queue',
    about: [
      `Command queue of a DMA engine: ${depth} transfers, first in, first out. \`take\` is acceptance of the oldest one`,
      'that waits; its place is free when it is complete. A transfer that is pushed can be taken from the',
      'next cycle on.',
    ],
    ports: [
      clockPort,
      resetPort,
      { direction: 'input', name: 'push' },
      { direction: 'input', name: 'command', width: command },
      { direction: 'output', name: 'full' },
      { direction: 'output', name: 'idle', meaning: 'every transfer is complete' },
      { direction: 'input', name: 'take' },
      { direction: 'output', name: 'waiting', meaning: 'a transfer can be taken' },
      { direction: 'output', name: 'head', width: command, meaning: 'it' },
      { direction: 'input', name: 'complete', meaning: 'the oldest is' },
      { direction: 'output', name: 'incomplete', meaning: 'there is one behind it' },
      {
        direction: 'output',
        name: 'oldest',
        width: command,
        meaning: 'that one; the oldest while none completes',
      },
    ],
    body: verilogLines(`
    reg ${range(place)} first, next, behind;
    reg ${range(count)} held, untaken;
    // A place that is given up in this cycle counts.
    assign full = (held == ${literal(count, depth)}) & ~complete;
    assign idle = held == ${literal(count, 0)};
    assign waiting = untaken != ${literal(count, 0)};
    wire accepts = push & ~full;
    wire ${range(place)} second = ${next('first')};
    assign incomplete = held > {${count - 1}'d0, complete};
    transfer_memory memory (
      .clk(clk),
      .head_address(next),
      .head(head),
      .oldest_address(complete ? second : first),
      .oldest(oldest),
      .write(accepts),
      .write_address(behind),
      .write_data(command)
    );
    always @(posedge clk)
      if (rst) begin
        first <= ${literal(place, 0)};
        next <= ${literal(place, 0)};
        behind <= ${literal(place, 0)};
        held <= ${literal(count, 0)};
        untaken <= ${literal(count, 0)};
      end else begin
        if (accepts) behind <= ${next('behind')};
        if (take) next <= ${next('next')};
        if (complete) first <= second;
        held <= held + {${count - 1}'d0, accepts} - {${count - 1}'d0, complete};
        untaken <= untaken + {${count - 1}'d0, accepts} - {${count - 1}'d0, take};
      end
    `),
  });
  const memory = verilogModule({
    name: 'transfer_memory',
    about: ["The queue's transfers. Read without a clock, at two places: in silicon a register file."],
    memoryBits: depth * command,
    ports: [
      clockPort,
      { direction: 'input', name: 'head_address', width: place },
      { direction: 'output', name: 'head', width: command },
      { direction: 'input', name: 'oldest_address', width: place },
      { direction: 'output', name: 'oldest', width: command },
      { direction: 'input', name: 'write' },
      { direction: 'input', name: 'write_address', width: place },
      { direction: 'input', name: 'write_data', width: command },
    ],
    body: verilogLines(`
    reg ${range(command)} transfers [0:${depth - 1}];
    assign head = transfers[head_address];
    assign oldest = transfers[oldest_address];
    always @(posedge clk)
      if (write) transfers[write_address] <= write_data;
    `),
  });
  return [
    { ...queue, count: 2 },
    { ...memory, count: 2 },
  ];
}
