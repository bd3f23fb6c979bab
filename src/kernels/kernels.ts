/**
 * @fileoverview The WebAssembly kernels the simulated machine computes with.
 *
 * Every simulated buffer and the DRAM image lie in one WebAssembly.Memory that the host creates and lays out;
 * the kernels are handed byte addresses in it and keep no state of their own. The host may use any address
 * from {@link FIRST_FREE_ADDRESS} up. Runs in browsers as well as in Node.
 */
import { plainKernelsBase64, simdKernelsBase64 } from './wasm.generated.ts';

/** Lowest byte address the host may place data at: what lies below belongs to the module. */
export const FIRST_FREE_ADDRESS = 65536;

/** Largest memory in bytes; addresses and sizes then fit a signed 32-bit integer. */
export const MAXIMUM_MEMORY_BYTES = 2 ** 31;

const PAGE_BYTES = 65536;

/** Elements in memory: `bytes` 1 or 2, `unsigned` 0 or 1, little-endian, at addresses of any alignment. */
export interface ElementFormat {
  readonly bytes: 1 | 2;
  readonly unsigned: 0 | 1;
}

/** Roundings as the kernels number them; what they do is defined in core/fixed-point.ts. */
export const roundingNumbers = { 'half-even': 0, 'half-up': 1, 'half-away': 2, truncate: 3 } as const;

/** Bytes of one parameter record of {@link Kernels.requantise}. */
export const RECORD_BYTES = 12;

/** Bytes of one parameter record of {@link Kernels.requantiseWide}. */
export const WIDE_RECORD_BYTES = 20;

/** The arguments all convolutions begin with, as {@link Kernels.convolve} describes them. */
export type ConvolutionArguments = readonly [
  features: number,
  rowPitch: number,
  planePitch: number,
  rows: number,
  columns: number,
  channels: number,
  padTop: number,
  padLeft: number,
  kernelRows: number,
  kernelColumns: number,
  strideRows: number,
  strideColumns: number,
  dilationRows: number,
  dilationColumns: number,
  outRows: number,
  outColumns: number,
  filters: number,
  weights: number,
  accumulators: number,
  accumulate: number,
];

/** The arguments both poolings begin with, as {@link Kernels.maximumPool} describes them. */
export type PoolingArguments = readonly [
  input: number,
  channels: number,
  rows: number,
  columns: number,
  inPlanePitch: number,
  windowRows: number,
  windowColumns: number,
  strideRows: number,
  strideColumns: number,
  padTop: number,
  padLeft: number,
  outRows: number,
  outColumns: number,
  out: number,
  outPlanePitch: number,
];

/**
 * The kernels. Pointers are byte addresses, need no alignment, and every byte named by an argument must lie
 * within the memory: an access beyond it throws a WebAssembly.RuntimeError, an access to somebody else's bytes
 * is not noticed. Inputs and outputs must not overlap unless said otherwise. Sizes are positive and all numbers
 * are integers; nothing is checked here, on the hot path.
 *
 * `bytes` and `unsigned` name an {@link ElementFormat}, `rounding` one of {@link roundingNumbers}, and a zero point
 * is the integer that stands for zero. An accumulator of `accumulatorBits` (8..48) bits either saturates (`wraps` 0)
 * or wraps around (`wraps` 1) whenever a sum leaves it.
 */
export interface Kernels {
  /**
   * Convolves planes of one byte with int8 weights into int32 accumulators, for one group of channels:
   *
   *     acc[f][oy * outColumns + ox] (+)= sum over c, ky, kx of
   *       w[c][ky][kx][f] * (in[c][oy * strideRows + ky * dilationRows - padTop]
   *                               [ox * strideColumns + kx * dilationColumns - padLeft] - zeroPoint)
   *
   * where a position outside [0, rows) x [0, columns) contributes nothing. The sum of the products' magnitudes must
   * fit int32, |in - zeroPoint| must not exceed 255.
   *
   * features: in[c][y][x] is at features + c * planePitch + y * rowPitch + x.
   * rowPitch, planePitch: bytes from row to row and from channel to channel.
   * rows, columns: of the map as far as present; there may be fewer than the windows need.
   * padTop: row of the first window above row 0; negative if the tile starts below row 0. padLeft: likewise.
   * filters: filters of this call.
   * weights: int8 [channels][kernelRows][kernelColumns][filters], contiguous.
   * accumulators: int32 [filters][outRows * outColumns], contiguous.
   * accumulate: 0 overwrites the accumulators, 1 adds to them.
   *
   * @param scratch {@link scratchBytes} bytes of workspace; contents before and after do not matter.
   */
  convolve(...of: [...ConvolutionArguments, scratch: number, unsigned: number, zeroPoint: number]): void;

  /**
   * As {@link Kernels.convolve} for int16 features with zero point 0 and weights of `weightBytes` (1: int8, 2: int16)
   * bytes. Besides the sum, any two products must together fit int32. The pitches stay in bytes.
   */
  convolve16(...of: [...ConvolutionArguments, scratch: number, weightBytes: number]): void;

  /**
   * As {@link Kernels.convolve} or, for int16 features, {@link Kernels.convolve16}, with weights from
   * {@link Kernels.packWeights}, for the same channels, kernel, column dilation and filters.
   */
  convolvePacked(
    ...of: [...ConvolutionArguments, scratch: number, bytes: number, unsigned: number, zeroPoint: number]
  ): void;

  /**
   * Puts weights into the order {@link Kernels.convolvePacked} reads them in.
   *
   * @param weights int8 or int16 [channels][kernelRows][kernelColumns][filters].
   * @param packed {@link packedWeightBytes} bytes.
   */
  packWeights(
    weights: number,
    weightBytes: number,
    channels: number,
    kernelRows: number,
    kernelColumns: number,
    dilationColumns: number,
    filters: number,
    packed: number,
  ): void;

  /**
   * As {@link Kernels.convolve} for all formats, into int64 accumulators that obey an accumulator's rule after every
   * product. Products are added in the order channel, kernel row, kernel column; those outside the map are not.
   *
   * @returns Additions whose exact sum did not fit the accumulator.
   */
  convolveExact(
    ...of: [
      ...ConvolutionArguments,
      bytes: number,
      unsigned: number,
      zeroPoint: number,
      weightBytes: number,
      accumulatorBits: number,
      wraps: number,
    ]
  ): number;

  /**
   * Turns accumulators into activations: v = acc + bias; y = zeroPoint + v * (v >= 0 ? positive : negative) / 2^shift,
   * the quotient rounded exactly, y clamped to [low, high].
   *
   * @param accumulators int32 [filters][pixels]; acc + bias must fit int32.
   * @param parameters One little-endian record of 12 bytes a filter: int32 bias, uint16 positive multiplier,
   *   uint16 negative multiplier, uint8 shift (0..62), three zero bytes.
   * @param low Lower bound; both bounds must fit one format of `bytes` bytes, signed or unsigned.
   * @param high Upper bound, at least low.
   * @param out [filters][pixels] of `bytes` bytes.
   */
  requantise(
    accumulators: number,
    filters: number,
    pixels: number,
    parameters: number,
    low: number,
    high: number,
    out: number,
    zeroPoint: number,
    rounding: number,
    bytes: number,
  ): void;

  /**
   * As {@link Kernels.requantise} from int64 accumulators; the bias is added by the accumulator's rule.
   *
   * @param accumulators int64 [filters][pixels], each within `accumulatorBits` bits.
   * @param parameters One little-endian record of 20 bytes a filter: int64 bias, uint32 positive multiplier, uint32
   *   negative multiplier, uint8 shift (0..62), three zero bytes. The multipliers' bits and the accumulator's must not
   *   exceed 64 together.
   * @returns Values that did not fit the accumulator when the bias was added.
   */
  requantiseWide(
    accumulators: number,
    filters: number,
    pixels: number,
    parameters: number,
    low: number,
    high: number,
    out: number,
    zeroPoint: number,
    rounding: number,
    bytes: number,
    accumulatorBits: number,
    wraps: number,
  ): number;

  /**
   * Maximum over each `ratio` consecutive maps.
   *
   * @param input [groups * ratio][pixels].
   * @param out [groups][pixels], same format.
   */
  crossChannelMaximum(
    input: number,
    groups: number,
    ratio: number,
    pixels: number,
    out: number,
    bytes: number,
    unsigned: number,
  ): void;

  /**
   * Adds every filter's bias to its sums and takes maxima over groups of filters, in place: what a unit in front of the
   * requantiser does. `open` groups take turns: filter (s * ratio + m) * open + k is member m of group s * open + k.
   *
   * @param accumulators int32 (`isWide` 0; sum + bias must fit) or int64 [groups * ratio][pixels]; becomes [groups][pixels].
   * @param groups A multiple of `open`.
   * @param parameters Records as {@link Kernels.requantise} reads them, wide ones if `isWide`; only the bias is read.
   * @returns Values that did not fit the accumulator when the bias was added; 0 if not `isWide`.
   */
  crossChannelSums(
    accumulators: number,
    groups: number,
    ratio: number,
    open: number,
    pixels: number,
    parameters: number,
    isWide: number,
    accumulatorBits: number,
    wraps: number,
  ): number;

  /** As {@link Kernels.crossChannelMaximum} for the rounded mean. */
  crossChannelMean(
    input: number,
    groups: number,
    ratio: number,
    pixels: number,
    out: number,
    bytes: number,
    unsigned: number,
    rounding: number,
  ): void;

  /**
   * Maximum over windows of planes. Positions outside [0, rows) x [0, columns) do not take part; every window must
   * hold at least one inside.
   *
   * input: in[c][y][x] is at input + c * inPlanePitch + (y * columns + x) * bytes.
   * inPlanePitch: bytes from input channel to channel.
   * padTop: row of the first window above row 0; negative if the tile starts below row 0. padLeft: likewise.
   * out: out[c][oy][ox] is at out + c * outPlanePitch + (oy * outColumns + ox) * bytes, same format.
   * outPlanePitch: bytes from output channel to channel.
   */
  maximumPool(...of: [...PoolingArguments, bytes: number, unsigned: number]): void;

  /**
   * Average over windows of planes: sum / count, rounded. Arguments as for {@link Kernels.maximumPool}.
   *
   * @param countIncludesPadding 1: count = windowRows * windowColumns, and positions outside the input have the value
   *   zeroPoint; 0: count = positions inside the input.
   */
  averagePool(
    ...of: [
      ...PoolingArguments,
      countIncludesPadding: number,
      bytes: number,
      unsigned: number,
      zeroPoint: number,
      rounding: number,
    ]
  ): void;

  /** Copies `bytes` (>= 0) bytes; the two ranges may overlap. */
  copy(destination: number, source: number, bytes: number): void;

  /**
   * A map that streams past the multipliers, or an operand of a sum: acc[i] (+)= multiplier * (in[i] - zeroPoint).
   *
   * @param input [count].
   * @param accumulators int32 [count]; every sum must fit.
   * @param accumulate 0 overwrites the accumulators, 1 adds to them.
   */
  widen(
    input: number,
    count: number,
    bytes: number,
    unsigned: number,
    zeroPoint: number,
    multiplier: number,
    accumulators: number,
    accumulate: number,
  ): void;

  /** As {@link Kernels.widen} with int64 accumulators. */
  widenWide(
    input: number,
    count: number,
    bytes: number,
    unsigned: number,
    zeroPoint: number,
    multiplier: number,
    accumulators: number,
    accumulate: number,
  ): void;

  /**
   * out[i] = table[in[i] - low].
   *
   * @param input [count] in the format (bytes, unsigned).
   * @param table Elements of `outBytes` bytes.
   * @param out [count] of `outBytes` bytes; may be `input` if the sizes agree.
   */
  lookup(
    input: number,
    count: number,
    bytes: number,
    unsigned: number,
    low: number,
    table: number,
    outBytes: number,
    out: number,
  ): void;

  /**
   * Selects, repeats or crops positions of planes:
   *
   *     out[p][y][x] = in[p][floor(y * strideRows / upsampleRows) + offsetRows]
   *                         [floor(x * strideColumns / upsampleColumns) + offsetColumns]
   *
   * @param features in[p][y][x] is at features + p * planePitch + y * rowPitch + x * bytes.
   * @param out [planes][outRows][outColumns] of `bytes` bytes, contiguous.
   */
  gather(
    features: number,
    rowPitch: number,
    planePitch: number,
    planes: number,
    outRows: number,
    outColumns: number,
    strideRows: number,
    strideColumns: number,
    upsampleRows: number,
    upsampleColumns: number,
    offsetRows: number,
    offsetColumns: number,
    bytes: number,
    out: number,
  ): void;
}

/** What of a convolution decides how much workspace and room it needs; see {@link Kernels.convolve}. */
export interface ConvolutionShape {
  readonly channels: number;
  readonly kernelRows: number;
  readonly kernelColumns: number;
  readonly strideRows: number;
  readonly strideColumns: number;
  readonly dilationRows: number;
  readonly dilationColumns: number;
  readonly outRows: number;
  readonly outColumns: number;
  readonly filters: number;
}

/**
 * Bytes of workspace the convolutions need for a shape, whatever its padding and its formats.
 *
 * @throws RangeError if that is more than a memory can hold.
 */
export function scratchBytes(shape: ConvolutionShape): number {
  const { channels, kernelRows, kernelColumns, strideColumns, dilationColumns, outRows, outColumns } = shape;
  const packedRows = (outRows - 1) * shape.strideRows + (kernelRows - 1) * shape.dilationRows + 1;
  const taps = kernelRows * kernelColumns;
  // Both layouts of convolve.as.ts, as the sum of their parts with 16 bytes a part for alignment and overrun.
  const packedColumns = (outColumns - 1) * strideColumns + (kernelColumns - 1) * dilationColumns + 1;
  const wide =
    4 * (outRows * outColumns + 8) + 2 * packedRows * packedColumns * channels + 16 * taps * (channels + 1);
  const pairs = Math.ceil(kernelColumns / 2);
  const width = 8 * Math.ceil(outColumns / 8);
  const span = (width - 1) * strideColumns + (2 * pairs - 1) * dilationColumns + 1;
  const narrow = 2 * span + 4 * packedRows * pairs * width + 4 * kernelRows * pairs * shape.filters;
  const bytes = (isNarrow(shape) ? narrow : wide) + 80;
  if (!(bytes <= MAXIMUM_MEMORY_BYTES)) {
    throw new RangeError(`A convolution needs ${bytes} bytes of workspace; at most 2 GiB can be had.`);
  }
  return bytes;
}

/** Bytes {@link Kernels.packWeights} fills for a shape. */
export function packedWeightBytes(
  shape: Pick<ConvolutionShape, 'channels' | 'kernelRows' | 'kernelColumns' | 'dilationColumns' | 'filters'>,
): number {
  const { channels, kernelRows, kernelColumns, dilationColumns, filters } = shape;
  if (isNarrow(shape)) return 4 * kernelRows * Math.ceil(kernelColumns / 2) * filters;
  const contiguous = dilationColumns === 1;
  const runs = contiguous ? kernelRows : kernelRows * kernelColumns;
  const pairs = Math.ceil(((contiguous ? kernelColumns : 1) * channels) / 2);
  return 32 * runs * pairs * Math.ceil(filters / 8);
}

/** Whether the vector runs over pixels rather than filters; as convolve.as.ts decides it. */
function isNarrow({ channels, filters }: Pick<ConvolutionShape, 'channels' | 'filters'>): boolean {
  return channels === 1 && filters < 4;
}

/**
 * A memory of at least `bytes` bytes, rounded up to whole pages of 64 KiB, zeroed, of fixed size.
 *
 * @throws RangeError unless bytes is an integer in 0..{@link MAXIMUM_MEMORY_BYTES}, or if the system does not
 *   have as much.
 */
export function createMemory(bytes: number): WebAssembly.Memory {
  if (!Number.isInteger(bytes) || bytes < 0 || bytes > MAXIMUM_MEMORY_BYTES) {
    throw new RangeError(`A memory of ${bytes} bytes cannot be made: the size must be within 0 and 2 GiB.`);
  }
  const pages = Math.ceil(bytes / PAGE_BYTES);
  return new WebAssembly.Memory({ initial: pages, maximum: pages });
}

/** The smallest module that uses SIMD: () => i8x16.popcnt(i8x16.splat(0)). */
const simdProbe = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0],
  ...[10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11],
);

/**
 * Compiles the kernels and binds them to a memory of any size. They compute the same without SIMD, many times slower.
 *
 * @param options.simd Whether to use SIMD; by default if the engine has it.
 */
export async function loadKernels(
  memory: WebAssembly.Memory,
  { simd = WebAssembly.validate(simdProbe) }: { readonly simd?: boolean } = {},
): Promise<Kernels> {
  const base64 = simd ? simdKernelsBase64 : plainKernelsBase64;
  const wasm = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const { instance } = await WebAssembly.instantiate(wasm, { env: { memory } });
  return instance.exports as unknown as Kernels;
}
