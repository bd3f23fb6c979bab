/** A layer that no tiling fits: which buffers are short, by how much, and the smallest change with which it fits. */
import { describe, expect, it } from 'vitest';
import { condensim, edge256Text, example, scratch } from './command-line.ts';

type Bytes = Record<'feature' | 'weight' | 'parameter' | 'pool' | 'output', number>;

const sizeOf = (name: string) => new RegExp(`(${name}: \\{ bytes: )(\\d+)`);

/** edge-256 with some buffers of other sizes. */
function machineWith(sizes: Partial<Bytes>): string {
  let text = edge256Text;
  for (const [name, bytes] of Object.entries(sizes)) {
    expect(text).toMatch(sizeOf(name));
    text = text.replace(sizeOf(name), `$1${bytes}`);
  }
  return scratch('shortage.yaml', text);
}

const run = (sizes: Partial<Bytes>) =>
  condensim('simulate', '--model', example, '--hw', machineWith(sizes), '--mode', 'timing', '--quiet');

const change = /buffers\.(\w+)\.bytes: (\d+) more \((\d+)\)/g;

describe('a machine too small for a layer', () => {
  it('is told the buffer, the bytes it is short, and its size with them', async () => {
    const { code, stdout, stderr } = await run({ weight: 17 });
    expect({ code, stdout, stderr }).toEqual({
      code: 2,
      stdout: '',
      stderr:
        "layer 'conv1' doesn't fit machine 'edge-256': the weight buffer is 1 byte short for its smallest tile, expected buffers.weight.bytes: 1 more (18)\n",
    });
  });

  it.each<[string, Partial<Bytes>]>([
    ['one buffer', { output: 7 }],
    ['several', { weight: 1, parameter: 5, output: 3, pool: 1 }],
    ['several, the feature buffer among them', { feature: 16, weight: 2, output: 10 }],
  ])('can be mended by what it is told, layer by layer: %s', async (_what, small) => {
    const sizes: Partial<Bytes> = { ...small };
    let refusals = 0;
    for (let outcome = await run(sizes); outcome.code !== 0; outcome = await run(sizes)) {
      expect(outcome.code).toBe(2);
      expect(outcome.stderr).toMatch(/^layer '\w+' doesn't fit machine 'edge-256': [^\n]+\n$/);
      const layer = outcome.stderr.split("'")[1];
      const changes = [...outcome.stderr.matchAll(change)];
      expect(changes.length).toBeGreaterThan(0);
      for (const [, name, , bytes] of changes) sizes[name as keyof Bytes] = Number(bytes);
      // A byte less of any of them, and the same layer is refused again.
      for (const [, name, , bytes] of changes) {
        const { stderr } = await run({ ...sizes, [name as string]: Number(bytes) - 1 });
        expect(stderr).toContain(`layer '${layer}' doesn't fit`);
      }
      expect(++refusals).toBeLessThan(8);
    }
    expect(refusals).toBeGreaterThan(0);
  });
});
