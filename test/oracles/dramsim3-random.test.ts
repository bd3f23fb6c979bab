/**
 * Random traces through DRAMsim3 and through our controller: the same commands in the same clocks.
 *
 * The traces are drawn by formula and DRAMsim3's command traces are kept as checksums. They reach what streams and
 * uniform reads do not: small address ranges with reads and writes of the same lines, several addresses in one burst,
 * addresses beyond the device, pauses, closed pages, several channels and ranks, other mappings and queue sizes.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type SdramConfig, sdramSchema } from '../../src/hw/dram/config.ts';
import { commandClasses, REF } from '../../src/hw/dram/constraints.ts';
import { MemoryController } from '../../src/hw/dram/controller.ts';
import { randomTrace, type TraceRecipe } from './dramsim3-traces.test-helper.ts';

interface Fixture {
  readonly configs: Record<string, unknown>;
  readonly cases: readonly {
    readonly config: string;
    readonly recipe: TraceRecipe;
    readonly commands: number;
    readonly finishCycles: number;
    readonly sha256: string;
  }[];
}

const fixture = JSON.parse(readFileSync(new URL('dramsim3-random.json', import.meta.url), 'utf8')) as Fixture;

/** The command trace up to the end of the last data, channels side by side. */
function commandTrace(config: SdramConfig, recipe: TraceRecipe): { lines: string[]; finish: number } {
  const { channels, bankGroups, banksPerGroup } = config.organisation;
  const perRank = bankGroups * banksPerGroup;
  const commands: { clock: number; channel: number; text: string }[] = [];
  const controller = new MemoryController(config, (channel) => ({
    command(clock, command, bank, row, column) {
      const isRefresh = command === REF;
      const place = [
        Math.floor(bank / perRank),
        isRefresh ? -1 : Math.floor((bank % perRank) / banksPerGroup),
        isRefresh ? -1 : bank % banksPerGroup,
      ];
      const words = [clock, commandClasses[command]!, ...place, row, column];
      commands.push({ clock, channel, text: (channels > 1 ? [channel, ...words] : words).join(' ') });
    },
  }));
  for (const [tag, { write, address, clock }] of randomTrace(recipe).entries()) {
    controller.offer(write, address, tag, clock);
  }
  for (const channel of controller.channels) channel.finishWork();
  const finish = Math.max(...controller.channels.map((channel) => channel.finish));
  for (const channel of controller.channels) channel.advanceTo(finish);
  const lines = commands
    .filter(({ clock }) => clock <= finish)
    .sort((a, b) => a.clock - b.clock || a.channel - b.channel)
    .map(({ text }) => text);
  return { lines, finish };
}

describe('DRAMsim3 on random traces', () => {
  it('is asked often enough', () => {
    expect(fixture.cases.length).toBeGreaterThan(150);
  });

  it.each(Object.keys(fixture.configs))('issues our commands in our clocks: %s', (name) => {
    const config = sdramSchema.parse(fixture.configs[name]);
    for (const { recipe, commands, finishCycles, sha256 } of fixture.cases.filter((c) => c.config === name)) {
      const { lines, finish } = commandTrace(config, recipe);
      expect(finish, `seed ${recipe.seed}`).toBe(finishCycles);
      expect(lines.length, `seed ${recipe.seed}`).toBe(commands);
      const digest = createHash('sha256')
        .update(`${lines.join('\n')}\n`)
        .digest('hex');
      expect(digest, `seed ${recipe.seed}`).toBe(sha256);
    }
  });
});
