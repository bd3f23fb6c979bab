import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { measureShipped } from '../../../scripts/area-cache.ts';
import { FileCache, shippedCachePath, shippedCacheSchema } from '../../cli/area-cache.ts';
import { InputError } from '../../core/diagnostics.ts';
import { crossChannelPoolSchema } from '../../hw/cross-channel-pool/config.ts';
import { machineWith } from '../../hw/machines.test-helper.ts';
import { peArrayModules, peVerilog } from '../../hw/pe-array/verilog.ts';
import type { VerilogModule } from '../../hw/verilog.ts';
import { readMachineFile } from '../../import/machine-yaml.ts';
import { yosysVersion } from '../netlist/yosys.ts';
import { readLiberty } from './liberty.ts';
import { gateLibrary } from './library.ts';
import { measureMachine } from './measure.ts';
import { ownLibrary, type Synthesis, type SynthesisJob, synthesise, synthesisKey } from './synthesise.ts';

const edge256 = readMachineFile('hw-configs/edge-256.yaml');
const own = ownLibrary();

/** A module of one line of Verilog. */
const job = (ports: string, body: string): SynthesisJob => ({
  module: { name: 'unit', text: `module unit(${ports});\n${body}\nendmodule\n` },
  below: [],
});

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('synthesis', () => {
  it('counts cells as a quarter of their transistors, flip-flops and the longest path', async () => {
    const nand = job('input a, b, output y', 'assign y = ~(a & b);');
    expect(await synthesise(nand, own)).toEqual({ area: 1, flipFlops: 0, depth: 1 });
    const enabled = job('input clk, e, d, output reg q', 'always @(posedge clk) if (e) q <= d;');
    const { area, flipFlops } = await synthesise(enabled, own);
    expect(flipFlops).toBe(1);
    expect(area).toBeGreaterThanOrEqual(8);
    expect(area).toBeLessThanOrEqual(9);
  });

  it('leaves out what a module instantiates, unless all is synthesised as one', async () => {
    const child: VerilogModule = {
      name: 'child',
      text: 'module child(input a, output y); assign y = ~a; endmodule\n',
    };
    const parent: VerilogModule = {
      name: 'parent',
      text: 'module parent(input a, b, output y);\nwire n;\nchild one (.a(a), .y(n));\nassign y = ~(n & b);\nendmodule\n',
    };
    expect((await synthesise({ module: parent, below: [child] }, own)).area).toBe(1);
    const flat = await synthesise({ module: parent, below: [child], flat: true }, own);
    expect(flat.area).toBe(1.5);
    expect(flat.depth).toBe(2);
  });

  it('keeps results under all that decides them', async () => {
    const first = job('input a, output y', 'assign y = ~a;');
    const other = job('input a, output y', 'assign y = ~ a;');
    const keys = await Promise.all([
      synthesisKey(first, own),
      synthesisKey(other, own),
      synthesisKey({ ...first, flat: true, below: [{ name: 'child', text: '' }] }, own),
      synthesisKey({ ...first, below: [{ name: 'child', text: '' }] }, own),
      synthesisKey(first, { ...own, text: `${own.text}\n` }),
    ]);
    expect(new Set(keys).size).toBe(keys.length);
    expect(await synthesisKey(first, { ...own, name: 'other' })).toBe(keys[0]);
    const kept = new Map<string, Synthesis>([[keys[0]!, { area: 17, flipFlops: 1, depth: 2 }]]);
    const cache = { get: (key: string) => kept.get(key), set: () => {} };
    expect((await synthesise(first, own, cache)).area).toBe(17);
  });
});

/** Gates of a module that is derived anew in a second or two. */
const quicklySynthesised = 5000;

describe('gates of the shipped machines', () => {
  it('are all in the shipped cache, of the Yosys that is installed, and derive anew within 3 %', async () => {
    const file = shippedCacheSchema.parse(JSON.parse(readFileSync(shippedCachePath(), 'utf8')));
    expect(file.yosys).toBe(await yosysVersion());
    const cache = new FileCache(undefined);
    const jobs = new Map<string, SynthesisJob>();
    await measureShipped({
      get: (key, one) => {
        const found = cache.get(key);
        // Stale: `npx tsx scripts/area-cache.ts` writes it anew.
        expect(found, `${one.module.name} is not in area-cache/synthesis.json`).toBeDefined();
        jobs.set(key, one);
        return found;
      },
      set: () => {},
    });
    expect(Object.keys(file.results).sort()).toEqual([...jobs.keys()].sort());
    const sampled = new Set<string>();
    for (const [key, one] of jobs) {
      const shipped = file.results[key]!;
      // The largest modules take minutes; their texts are held to the cache above all the same.
      if (sampled.has(one.module.name) || shipped.area > quicklySynthesised) continue;
      sampled.add(one.module.name);
      const { area, flipFlops } = await synthesise(one, own);
      expect(Math.abs(area / shipped.area - 1)).toBeLessThanOrEqual(0.03);
      expect(flipFlops).toBe(shipped.flipFlops);
    }
    expect(sampled.size).toBeGreaterThan(12);
  });

  it('have a PE within 15 % of 1,295 and a CCP unit near 1 % or below', async () => {
    const { units, unitsWithoutCcp } = await measureMachine(edge256, {
      library: own,
      cache: new FileCache(undefined),
    });
    const pe = units.find(({ name }) => name === 'pe')!;
    expect(pe.count).toBe(256);
    expect(Math.abs(pe.gatesEach / 1295 - 1)).toBeLessThan(0.15);
    const total = (list: typeof units) => list.reduce((sum, { gates }) => sum + gates, 0);
    expect(1 - total(unitsWithoutCcp) / total(units)).toBeLessThan(0.01);
  });

  it('have a PE whose parts cost what docs/area.md says, within 3 %', async () => {
    const gates = async (
      activationBits: number,
      accumulatorOverflow: 'saturate' | 'wrap',
      shadow: boolean,
      preload: boolean,
    ): Promise<number> => {
      const peArray = { ...edge256.peArray, activationBits, accumulatorOverflow };
      const module = peVerilog({ ...edge256, peArray }, { shadow, preload });
      return (await synthesise({ module, below: [] }, own)).area;
    };
    const found = [
      await gates(7, 'wrap', false, false),
      await gates(7, 'saturate', false, false),
      await gates(8, 'saturate', false, false),
      await gates(8, 'saturate', true, false),
      await gates(8, 'saturate', true, true),
    ];
    const text = readFileSync('docs/area.md', 'utf8');
    const documented = [...text.matchAll(/^\|.*\| ([\d,]+) \|$/gm)].map(([, figure]) =>
      Number(figure!.replaceAll(',', '')),
    );
    expect(documented.length).toBe(found.length);
    found.forEach((area, index) => {
      expect(Math.abs(area / documented[index]! - 1)).toBeLessThanOrEqual(0.03);
    });
  });

  it('add up: sixteen PEs and their registers are a 4 x 4 array synthesised as one, within 6 %', async () => {
    const { peArray } = edge256;
    const machine = { ...edge256, peArray: { ...peArray, rows: 4, columns: 4 } };
    const [array, pe] = peArrayModules(machine);
    const flat = await synthesise({ module: array!, below: [pe!], flat: true }, own);
    const alone = await synthesise({ module: array!, below: [pe!] }, own);
    const element = await synthesise({ module: pe!, below: [] }, own);
    const summed = alone.area + 16 * element.area;
    expect(flat.flipFlops).toBe(alone.flipFlops + 16 * element.flipFlops);
    expect(Math.abs(summed / flat.area - 1)).toBeLessThan(0.06);
  });

  it('refuse what there is no RTL of', async () => {
    const { postProcessing } = edge256;
    const machine = {
      ...edge256,
      postProcessing: {
        ...postProcessing,
        crossChannelPool: crossChannelPoolSchema.parse({ maximumRatio: 4, mean: true }),
      },
    };
    await expect(measureMachine(machine, { library: own })).rejects.toThrow(
      /^edge-256: postProcessing\.crossChannelPool\.mean: .* expected false$/,
    );
  });
});

describe("a user's library", () => {
  const unit: SynthesisJob = {
    module: peVerilog(machineWith({ peArray: { activationBits: 4 } })),
    below: [],
  };

  it('gives its own units', async () => {
    const doubled = gateLibrary().replace(/area : ([\d.]+);/g, (_, area) => `area : ${2 * Number(area)};`);
    const library = readLiberty(encode(`/* twice */\n${doubled}`), 'double.lib');
    expect((await synthesise(unit, library)).area).toBe(2 * (await synthesise(unit, own)).area);
  });

  it('is refused in one line that names it', async () => {
    const refused = async (text: string | Uint8Array): Promise<string> => {
      try {
        await synthesise(unit, readLiberty(typeof text === 'string' ? encode(text) : text, 'my.lib'));
      } catch (error) {
        expect(error).toBeInstanceOf(InputError);
        return (error as InputError).message;
      }
      throw new Error('not refused');
    };
    const lines = await Promise.all([
      refused(''),
      refused('module a; endmodule'),
      refused(new Uint8Array([0x1f, 0x8b, 8, 0])),
      refused(`${gateLibrary()}\0`),
      refused('library(empty) {\n}\n'),
    ]);
    lines.push(
      await refused(gateLibrary().replace(/ {2}cell\(DFF\)[\s\S]*/, '}\n')),
      await refused(gateLibrary().replace(/ {2}cell\(INV\)[\s\S]* {2}cell\(DFF\)/, '  cell(DFF)')),
      await refused(gateLibrary().slice(0, 700)),
      await refused('library(x) {\n  cell(A) {\n    area : 1;\n    pin(B) { direction : sideways; ]]\n'),
    );
    for (const line of lines) expect(line).toMatch(/^my\.lib: [^\n]*, expected [^\n]*$/);
  });
});
