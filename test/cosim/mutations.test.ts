/** What a co-simulation is worth: deliberate mistakes in the emitted Verilog, every one of which it must find. */
import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { computeModules } from '../../src/hw/compute/core-verilog.ts';
import { crossChannelPoolSchema } from '../../src/hw/cross-channel-pool/config.ts';
import type { MachineConfig } from '../../src/hw/machine/config.ts';
import type { VerilogModule } from '../../src/hw/verilog.ts';
import { coSimulate } from '../../src/rtl/cosim/co-simulate.ts';
import { buildCompiled } from '../../src/rtl/cosim/compiled-run.ts';
import { smallMachine } from './machine.test-helper.ts';

interface Mutation {
  readonly mistake: string;
  readonly module: string;
  readonly from: RegExp;
  readonly to: string;
  /** Instead of the small one. */
  readonly machine?: MachineConfig;
}

/** The small machine with another cross-channel pooling unit. */
function withUnit(unit: z.input<typeof crossChannelPoolSchema>): MachineConfig {
  const crossChannelPool = crossChannelPoolSchema.parse(unit);
  return { ...smallMachine, postProcessing: { ...smallMachine.postProcessing, crossChannelPool } };
}

const mutations: readonly Mutation[] = [
  {
    mistake: 'products are unsigned',
    module: 'pe',
    from: /= feature \* weight;/,
    to: '= $unsigned(feature) * $unsigned(weight);',
  },
  {
    mistake: 'accumulators wrap instead of saturating',
    module: 'pe',
    from: /wire above = [^;]*;/,
    to: "wire above = 1'b0;",
    machine: {
      ...smallMachine,
      peArray: { ...smallMachine.peArray, weightBits: 8, depthwise: null },
    },
  },
  {
    mistake: 'a fold drains one column too few',
    module: 'chain_control',
    from: /columns_left <= fold_columns;/,
    to: "columns_left <= fold_columns - 3'd1;",
  },
  {
    mistake: 'the chain counts as free a cycle late',
    module: 'chain_control',
    from: /\(take & last_column & ~fill\)/,
    to: "1'b0",
  },
  {
    mistake: 'a group of maps starts from the maximum of the one before',
    module: 'cross_channel_pool',
    from: /valid & \(first \| /,
    to: "valid & (1'b0 | ",
  },
  {
    mistake: 'a tree takes the smaller of two columns',
    module: 'cross_channel_pool',
    from: /\) > \$signed\(/,
    to: ') < $signed(',
    machine: withUnit({ form: 'tree', maximumRatio: 4 }),
  },
  {
    mistake: 'a tree takes its next group before the start values behind the last one are in',
    module: 'chain_control',
    from: / & ~pacing;/,
    to: ';',
    machine: withUnit({ form: 'tree', maximumRatio: 2 }),
  },
  {
    mistake: 'the columns behind a group that left stay where they are',
    module: 'chain_control',
    from: /left_q <= leave << at;/,
    to: "left_q <= 2'd1 << at;",
    machine: withUnit({ form: 'tree', maximumRatio: 2 }),
  },
  {
    mistake: 'groups do not take turns',
    module: 'chain_control',
    from: /assign vector_slot = turn;/,
    to: "assign vector_slot = 2'd0;",
    machine: withUnit({ depth: 3, maximumRatio: 4 }),
  },
  {
    mistake: 'maxima of sums are taken of sums without their bias',
    module: 'bias_lane',
    from: /assign out = [^;]*;/,
    to: 'assign out = value;',
    machine: withUnit({ position: 'before', maximumRatio: 4 }),
  },
  {
    mistake: 'a group of sums is scaled as its first filter is',
    module: 'compute_core',
    from: /records\[vector_last_at_2 \*/,
    to: 'records[vector_at_2 *',
    machine: withUnit({ form: 'tree', position: 'before', maximumRatio: 4 }),
  },
  {
    mistake: 'ties are rounded up instead of to even',
    module: 'requantise_lane',
    from: /wire round_up = [^;]*;/,
    to: 'wire round_up = rest[0];',
  },
  {
    mistake: 'bank conflicts are ignored',
    module: 'feature_buffer',
    from: /assign done = [^;]*;/,
    to: 'assign done = read;',
  },
  {
    mistake: 'a pooling window is a row too high',
    module: 'write_sequencer',
    from: /(wire \[7:0\] first_open_left = [^;]*) - 8'd1;/,
    to: '$1;',
  },
  {
    mistake: 'a pooling window is a column too wide',
    module: 'spatial_pool',
    from: /(wire \[\d+:0\] width = )([^;]*);/,
    to: "$1($2) + 1'd1;",
  },
  {
    mistake: 'rows outside of the map are read',
    module: 'tile_sequencer',
    from: /wire row_inside = [^;]*;/,
    to: "wire row_inside = 1'b1;",
  },
  {
    mistake: "a tile does not wait for the store queue's token",
    module: 'tile_sequencer',
    from: / & \(~waits_store \| has_store\)/,
    to: '',
  },
  {
    mistake: 'partial sums of the chunk before are lost',
    module: 'pe',
    from: /preload \? shadow/,
    to: "preload ? 18'd0",
  },
  {
    mistake: 'a ring of rows does not go round',
    module: 'tile_sequencer',
    from: /wire wraps = [^;]*;/,
    to: "wire wraps = 1'b0;",
  },
  {
    mistake: 'a strip keeps no row before the last one',
    module: 'pe_array',
    from: /row_1 <= features_q;/,
    to: 'row_1 <= row_1;',
  },
  {
    mistake: 'strips of two columns a step take one',
    module: 'pe_array',
    from: /stride_two_q <= stride_two;/,
    to: "stride_two_q <= 1'b0;",
  },
  {
    mistake: 'averages are rounded down',
    module: 'window_average',
    from: /(wire \[\d+:0\] dividend = [^+;]*) \+ [^;]*;/,
    to: '$1;',
  },
  {
    mistake: 'operands of a sum have the multiplier of the first',
    module: 'stream_sums',
    from: /records\[operand\]/,
    to: "records[4'd0]",
  },
  {
    mistake: 'the zero point is not subtracted',
    module: 'feature_lanes',
    from: / - zero;/,
    to: ';',
  },
];

/** Enough for every unit to be met in every way. */
const tiles = 100;

async function mismatches(machine: MachineConfig, modules: readonly VerilogModule[]): Promise<number> {
  const totals = await coSimulate(machine, { seed: 7, tiles, build: buildCompiled, modules });
  return totals.cycleMismatches + totals.byteMismatches;
}

describe('co-simulation', () => {
  it('finds nothing in the Verilog as it is', async () => {
    expect(await mismatches(smallMachine, computeModules(smallMachine))).toBe(0);
  });

  it.each(mutations)('finds it when $mistake', async ({ module, from, to, machine = smallMachine }) => {
    const modules = computeModules(machine);
    const mutated = modules.map((original) =>
      original.name === module ? { ...original, text: original.text.replace(from, to) } : original,
    );
    const changed = mutated.filter(({ text }, index) => text !== modules[index]!.text);
    expect(changed.map(({ name }) => name)).toEqual([module]);
    expect(await mismatches(machine, mutated)).toBeGreaterThan(0);
  });
});
