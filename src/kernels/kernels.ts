/**
 * @fileoverview The WebAssembly SIMD kernels the simulated machine computes with.
 *
 * Every simulated buffer and the DRAM image lie in one WebAssembly.Memory that the host creates and lays out;
 * the kernels are handed byte addresses in it and keep no state of their own. The host may use any address
 * from {@link FIRST_FREE_ADDRESS} up. Runs in browsers as well as in Node.
 */
import { kernelsWasmBase64 } from './wasm.generated.ts';

/** Lowest byte address the host may place data at: what lies below belongs to the module. */
export const FIRST_FREE_ADDRESS = 65536;

/** Largest memory in bytes; addresses and sizes then fit a signed 32-bit integer. */
export const MAXIMUM_MEMORY_BYTES = 2 ** 31;

const PAGE_BYTES = 65536;

/**
 * The kernels. Pointers are byte addresses, need no alignment, and every byte named by an argument must lie
 * within the memory: an access beyond it throws a WebAssembly.RuntimeError, an access to somebody else's bytes
 * is not noticed. Inputs and outputs must not overlap unless said otherwise. Sizes are positive and all numbers
 * are integers; nothing is checked here, on the hot path.
 */
export interface Kernels {
  /**
   * Convolves int8 planes with int8 weights into int32 accumulators, for one group of channels:
   *
   *     acc[f][oy * outColumns + ox] (+)= sum over c, ky, kx of
   *       w[c][ky][kx][f] * in[c][oy * strideRows + ky * dilationRows - padTop]
   *                              [ox * strideColumns + kx * dilationColumns - padLeft]
   *
   * where `in` is zero outside [0, rows) x [0, columns). The sum of the products' magnitudes must fit int32.
   *
   * @param features int8; in[c][y][x] is at features + c * planePitch + y * rowPitch + x.
   * @param rowPitch Bytes from row to row.
   * @param planePitch Bytes from channel to channel.
   * @param rows Rows present; there may be fewer than the windows need.
   * @param columns Columns present.
   * @param padTop Row of the first window above row 0; negative if the tile starts below row 0.
   * @param padLeft Likewise for columns.
   * @param filters Filters of this call.
   * @param weights int8 [channels][kernelRows][kernelColumns][filters], contiguous.
   * @param accumulators int32 [filters][outRows * outColumns], contiguous.
   * @param accumulate 0 overwrites the accumulators, 1 adds to them.
   * @param scratch {@link scratchBytes} bytes of workspace; contents before and after do not matter.
   */
  convolve(
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
    scratch: number,
  ): void;

  /**
   * Turns accumulators into int8: v = acc + bias; y = v * (v >= 0 ? positive : negative) / 2^shift, rounded
   * exactly to the nearest integer with ties to even, clamped to [low, high].
   *
   * @param accumulators int32 [filters][pixels]; acc + bias must fit int32.
   * @param parameters One little-endian record of 12 bytes a filter: int32 bias, uint16 positive multiplier,
   *   uint16 negative multiplier, uint8 shift (0..47), three zero bytes.
   * @param low Lower bound, -128..high.
   * @param high Upper bound, low..127.
   * @param out int8 [filters][pixels].
   */
  requantise(
    accumulators: number,
    filters: number,
    pixels: number,
    parameters: number,
    low: number,
    high: number,
    out: number,
  ): void;

  /**
   * Maximum over each `ratio` consecutive maps.
   *
   * @param input int8 [groups * ratio][pixels].
   * @param out int8 [groups][pixels].
   */
  crossChannelMaximum(input: number, groups: number, ratio: number, pixels: number, out: number): void;

  /**
   * Maximum over windows of int8 planes. Positions outside [0, rows) x [0, columns) do not take part; every
   * window must hold at least one inside.
   *
   * @param input int8; in[c][y][x] is at input + c * inPlanePitch + y * columns + x.
   * @param inPlanePitch Bytes from input channel to channel.
   * @param padTop Row of the first window above row 0; negative if the tile starts below row 0.
   * @param padLeft Likewise for columns.
   * @param out int8; out[c][oy][ox] is at out + c * outPlanePitch + oy * outColumns + ox.
   * @param outPlanePitch Bytes from output channel to channel.
   */
  maximumPool(
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
  ): void;

  /**
   * Average over windows of int8 planes: sum / count rounded to the nearest integer, ties to even. Layouts as
   * for {@link Kernels.maximumPool}.
   *
   * @param countIncludesPadding 1: count = windowRows * windowColumns; 0: count = positions inside the input.
   */
  averagePool(
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
    countIncludesPadding: number,
  ): void;

  /** Copies `bytes` (>= 0) bytes; the two ranges may overlap. */
  copy(destination: number, source: number, bytes: number): void;

  /**
   * Sign-extends a map that streams past the multipliers into {@link Kernels.requantise}.
   *
   * @param input int8 [count].
   * @param accumulators int32 [count].
   */
  widen(input: number, count: number, accumulators: number): void;
}

/** What of a convolution decides how much workspace it needs; see {@link Kernels.convolve}. */
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
 * Bytes of workspace {@link Kernels.convolve} needs for a shape, whatever its padding.
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
  const narrow = 2 * span + 4 * packedRows * pairs * width + 4 * kernelRows * pairs;
  const isNarrow = channels === 1 && shape.filters < 4;
  const bytes = (isNarrow ? narrow : wide) + 80;
  if (!(bytes <= MAXIMUM_MEMORY_BYTES)) {
    throw new RangeError(`A convolution needs ${bytes} bytes of workspace; at most 2 GiB can be had.`);
  }
  return bytes;
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

/** Compiles the kernels and binds them to a memory of any size. */
export async function loadKernels(memory: WebAssembly.Memory): Promise<Kernels> {
  const wasm = Uint8Array.from(atob(kernelsWasmBase64), (character) => character.charCodeAt(0));
  const { instance } = await WebAssembly.instantiate(wasm, { env: { memory } });
  return instance.exports as unknown as Kernels;
}
