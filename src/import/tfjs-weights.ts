/**
 * TensorFlow.js weights: a `weights_manifest.json` beside its shards.
 *
 * A manifest is a list of groups; a group's tensors lie one after the other, little endian and unaligned, in the
 * concatenation of its shards. A quantised tensor holds uint8 or uint16 q with value = q * scale + min, or float16.
 */
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { parseJson } from '../config/json.ts';
import { type Located, quote } from '../config/source.ts';
import { InputError } from '../core/diagnostics.ts';
import { product, sum } from '../core/integers.ts';
import { staysInside } from './inside.ts';
import type { NamedTensor, NamedTensors } from './parameters.ts';
import { fileSize, readBytes, readText } from './read-file.ts';

const MAXIMUM_ELEMENTS = 2 ** 27;
const MAXIMUM_BYTES = 2 ** 29;

const finite = z.number().min(-1e30).max(1e30);

// Converters add keys of their own; what would change the values (another dtype) is refused by its value.
const weightSchema = z.object({
  name: z.string().min(1).max(1000),
  shape: z
    .array(
      z
        .int()
        .min(1)
        .max(2 ** 24),
    )
    .max(8),
  dtype: z.enum(['float32', 'int32']),
  quantization: z
    .discriminatedUnion('dtype', [
      z.object({ dtype: z.enum(['uint8', 'uint16']), scale: finite, min: finite }),
      z.object({ dtype: z.literal('float16') }),
    ])
    .optional(),
});
export const manifestSchema = z
  .array(
    z.object({
      paths: z.array(z.string().min(1).max(1000)).min(1).max(10_000),
      weights: z.array(weightSchema).max(100_000),
    }),
  )
  .min(1)
  .max(10_000);

type Weight = z.output<typeof weightSchema>;
export type WeightGroups = z.output<typeof manifestSchema>;

/** How one element is stored. */
interface Storage {
  readonly bytes: number;
  read(view: DataView, offset: number): number;
}

const STORAGE = {
  float32: { bytes: 4, read: (view, offset) => view.getFloat32(offset, true) },
  int32: { bytes: 4, read: (view, offset) => view.getInt32(offset, true) },
  uint8: { bytes: 1, read: (view, offset) => view.getUint8(offset) },
  uint16: { bytes: 2, read: (view, offset) => view.getUint16(offset, true) },
  float16: { bytes: 2, read: (view, offset) => halfFloat(view.getUint16(offset, true)) },
} satisfies Record<string, Storage>;

/** The value of an IEEE 754 half. */
function halfFloat(bits: number): number {
  const sign = bits >= 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

function storageOf(weight: Weight): Storage {
  return STORAGE[weight.quantization?.dtype ?? weight.dtype];
}

/**
 * Reads all tensors of a manifest as float32.
 *
 * Throws an `InputError` for anything that is not such a manifest, for shards outside the manifest's folder, shards
 * that are longer or shorter than the tensors, values that are not finite, and more than 512 MiB.
 */
export function readTfjsWeights(manifestPath: string): NamedTensors {
  return readWeightGroups(parseManifest(manifestPath), manifestPath);
}

/** Reads a manifest without its shards. @throws InputError for anything that is no manifest */
export function parseManifest(manifestPath: string): Located<WeightGroups> {
  return parseJson(readText(manifestPath, 'a weights manifest'), manifestPath, manifestSchema);
}

/**
 * Reads the tensors of a manifest, whatever file it stands in; `path` is that file's.
 * @throws InputError as `readTfjsWeights`
 */
export function readWeightGroups(
  { value: groups, positionOf }: Located<WeightGroups>,
  manifestPath: string,
): NamedTensors {
  // All sizes are settled before a single weight is read.
  const seen = new Set<string>();
  let total = 0;
  for (const [g, group] of groups.entries()) {
    for (const [w, weight] of group.weights.entries()) {
      if (seen.has(weight.name)) {
        const message = `name: ${quote(weight.name)} is here twice, expected every name once`;
        throw new InputError(message, positionOf([g, 'weights', w, 'name']));
      }
      seen.add(weight.name);
      const elements = product(weight.shape);
      total += elements * storageOf(weight).bytes;
      if (elements > MAXIMUM_ELEMENTS || total > MAXIMUM_BYTES) {
        throw new InputError(
          `shape: ${elements} elements make ${total} bytes up to here, expected at most ${MAXIMUM_ELEMENTS} elements and ${MAXIMUM_BYTES} bytes`,
          positionOf([g, 'weights', w, 'shape']),
        );
      }
    }
    for (const [p, path] of group.paths.entries()) {
      if (!staysInside(path)) {
        const message = `paths: ${quote(path)} leads out of the manifest's folder, expected a file beside it`;
        throw new InputError(message, positionOf([g, 'paths', p]));
      }
    }
  }

  const tensors = new Map<string, NamedTensor>();
  for (const [g, group] of groups.entries()) {
    const shards = group.paths.map((path) => join(dirname(manifestPath), path));
    const needed = sum(group.weights.map((weight) => product(weight.shape) * storageOf(weight).bytes));
    const held = sum(shards.map((shard) => fileSize(shard, 'a shard of weights')));
    if (held !== needed) {
      const [message, position] =
        shards.length === 1
          ? [`holds ${held} bytes, expected the ${needed} that the manifest needs`, { file: shards[0]! }]
          : [
              `paths: these ${shards.length} shards hold ${held} bytes, expected the ${needed} that the manifest needs`,
              positionOf([g, 'paths']),
            ];
      throw new InputError(message, position);
    }
    const bytes = Buffer.concat(shards.map((shard) => readBytes(shard, 'a shard of weights', needed)));
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let offset = 0;
    for (const [w, weight] of group.weights.entries()) {
      const values = readTensor(view, offset, weight);
      const wrong = values.findIndex((value) => !Number.isFinite(value));
      if (wrong !== -1) {
        const message = `name: element ${wrong} of ${quote(weight.name)} is ${values[wrong]}, expected finite numbers`;
        throw new InputError(message, positionOf([g, 'weights', w, 'name']));
      }
      tensors.set(weight.name, { shape: weight.shape, values });
      offset += values.length * storageOf(weight).bytes;
    }
  }
  return tensors;
}

function readTensor(view: DataView, start: number, weight: Weight): Float32Array {
  const storage = storageOf(weight);
  const { quantization } = weight;
  const { scale, min } =
    quantization !== undefined && 'scale' in quantization ? quantization : { scale: 1, min: 0 };
  const whole = weight.quantization !== undefined && weight.dtype === 'int32';
  const values = new Float32Array(product(weight.shape));
  for (let i = 0; i < values.length; i++) {
    const value = storage.read(view, start + i * storage.bytes) * scale + min;
    values[i] = whole ? Math.round(value) : value;
  }
  return values;
}
