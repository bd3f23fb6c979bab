/**
 * @fileoverview Packing of a convolution's operands into the order its inner tiles read them in, as int16: the input
 * channels last and zero padded, the weights in pairs with 8 (or 4) filters side by side.
 */
import { clamp, memoryEnd } from './elements.as';

// @ts-ignore: decorator
@inline
function interleaveBytes(a: v128, b: v128): v128 {
  return v128.shuffle<i8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

// @ts-ignore: decorator
@inline
function interleaveLow(a: v128, b: v128): v128 {
  return v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}

// @ts-ignore: decorator
@inline
function interleaveHigh(a: v128, b: v128): v128 {
  return v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}

/** The 8 elements at `address`, those of one byte in the lower half. */
// @ts-ignore: decorator
@inline
function loadEightWithin<T>(address: usize): v128 {
  return sizeof<T>() == 2 ? v128.load(address) : v128.load64_zero(address);
}

/** As loadEightWithin where the memory may end before; past its end the elements are zero. */
// @ts-ignore: decorator
@inline
function loadEight<T>(address: usize, end: usize): v128 {
  if (sizeof<T>() == 2) return address + 16 <= end ? v128.load(address) : loadSixteenBytesAtEnd(address, end);
  return address + 8 <= end ? v128.load64_zero(address) : loadEightBytesAtEnd(address, end);
}

function loadEightBytesAtEnd(address: usize, end: usize): v128 {
  return i64x2.replace_lane(i64x2.splat(0), 0, bytesBefore(address, end));
}

function loadSixteenBytesAtEnd(address: usize, end: usize): v128 {
  const low = i64x2.replace_lane(i64x2.splat(0), 0, bytesBefore(address, end));
  return i64x2.replace_lane(low, 1, bytesBefore(address + 8, end));
}

/** Up to 8 bytes from `address` on, as many as lie before `end`. */
function bytesBefore(address: usize, end: usize): u64 {
  let bits: u64 = 0;
  for (let i: usize = 0; i < 8 && address + i < end; i++) bits |= (<u64>load<u8>(address + i)) << (<u64>(i << 3));
  return bits;
}

/**
 * Packs planes of X into [row][column][channel] of int16 less the zero point, zero where the box leaves the input.
 */
export function packInput<X>(
  packed: usize, packedRows: i32, packedColumns: i32, features: usize, rowPitch: i32, planePitch: i32,
  rows: i32, columns: i32, channels: i32, padTop: i32, padLeft: i32, zeroPoint: i32,
): void {
  const size = <i32>sizeof<X>();
  const pixelBytes = channels << 1;
  const rowBytes = packedColumns * pixelBytes;
  const top = clamp(padTop, 0, packedRows);
  const bottom = clamp(rows + padTop, top, packedRows);
  const left = clamp(padLeft, 0, packedColumns);
  const right = clamp(columns + padLeft, left, packedColumns);
  if (left == right) {
    memory.fill(packed, 0, <usize>(packedRows * rowBytes));
    return;
  }
  memory.fill(packed, 0, <usize>(top * rowBytes));
  memory.fill(packed + <usize>(bottom * rowBytes), 0, <usize>((packedRows - bottom) * rowBytes));
  const end = memoryEnd();
  const zero = i16x8.splat(<i16>zeroPoint);
  for (let y = top; y < bottom; y++) {
    let source = features + <usize>((y - padTop) * rowPitch + (left - padLeft) * size);
    const packedRow = packed + <usize>(y * rowBytes);
    let destination = packedRow + <usize>(left * pixelBytes);
    memory.fill(packedRow, 0, <usize>(left * pixelBytes));
    memory.fill(packedRow + <usize>(right * pixelBytes), 0, <usize>((packedColumns - right) * pixelBytes));
    // Within eight pixels the last channels go first: with one to three of them a pixel is written four
    // channels wide, and what spills into the next pixel is written over by what follows, except behind the
    // last pixel of the row.
    const behind = destination + <usize>((right - left) * pixelBytes);
    const kept = load<u64>(behind);
    for (let width = right - left; width > 0; width -= 8) {
      let channel = channels & ~3;
      if (channel < channels) {
        packFourChannels<X>(
          source, planePitch, channel, channels - channel, destination, pixelBytes, width, end, zero,
        );
      }
      if (channel & 4) {
        channel -= 4;
        packFourChannels<X>(source, planePitch, channel, 4, destination, pixelBytes, width, end, zero);
      }
      packEightChannels<X>(source, planePitch, channel, destination, pixelBytes, width, end, zero);
      source += 8 * sizeof<X>();
      destination += pixelBytes << 3;
    }
    store<u64>(behind, kept);
  }
}

/** Eight bytes in the lower (or upper) half as int16, less the zero point. */
// @ts-ignore: decorator
@inline
function lowLessZero<X>(values: v128, zero: v128): v128 {
  const wide = isSigned<X>() ? i16x8.extend_low_i8x16_s(values) : i16x8.extend_low_i8x16_u(values);
  return i16x8.sub(wide, zero);
}

// @ts-ignore: decorator
@inline
function highLessZero<X>(values: v128, zero: v128): v128 {
  const wide = isSigned<X>() ? i16x8.extend_high_i8x16_s(values) : i16x8.extend_high_i8x16_u(values);
  return i16x8.sub(wide, zero);
}

/** Packs channels [0, channels), a multiple of 8, of the first eight pixels, or of `live` if that is fewer. */
function packEightChannels<X>(
  source: usize, planePitch: i32, channels: i32, destination: usize, pixelBytes: i32, live: i32, end: usize,
  zero: v128,
): void {
  const step = <usize>planePitch << 3;
  // Whether eight elements of every channel lie within the memory.
  const whole = live >= 8 && source + <usize>((channels - 1) * planePitch) + 8 * sizeof<X>() <= end;
  if (whole) {
    for (let channel = 0; channel < channels; channel += 8, source += step, destination += 16) {
      packBlockOfEight<X>(source, planePitch, destination, pixelBytes, 8, end, zero, true);
    }
  } else {
    for (let channel = 0; channel < channels; channel += 8, source += step, destination += 16) {
      packBlockOfEight<X>(source, planePitch, destination, pixelBytes, live, end, zero, false);
    }
  }
}

// @ts-ignore: decorator
@inline
function loadOne<X>(address: usize, end: usize, whole: bool): v128 {
  return whole ? loadEightWithin<X>(address) : loadEight<X>(address, end);
}

/** Eight channels of up to eight pixels; `whole`: eight of them, within the memory. */
// @ts-ignore: decorator
@inline
function packBlockOfEight<X>(
  source: usize, planePitch: i32, destination: usize, pixelBytes: i32, live: i32, end: usize, zero: v128,
  whole: bool,
): void {
  const s1 = source + planePitch;
  const s2 = s1 + planePitch;
  const s3 = s2 + planePitch;
  const s4 = s3 + planePitch;
  const s5 = s4 + planePitch;
  const s6 = s5 + planePitch;
  const s7 = s6 + planePitch;
  if (sizeof<X>() == 2) {
    // Twice four pixels, as eight vectors of four would have to stay alive otherwise.
    const x0 = loadOne<X>(source, end, whole);
    const x1 = loadOne<X>(s1, end, whole);
    const x2 = loadOne<X>(s2, end, whole);
    const x3 = loadOne<X>(s3, end, whole);
    const x4 = loadOne<X>(s4, end, whole);
    const x5 = loadOne<X>(s5, end, whole);
    const x6 = loadOne<X>(s6, end, whole);
    const x7 = loadOne<X>(s7, end, whole);
    storeFourPixels(
      interleaveLow(x0, x1), interleaveLow(x2, x3), interleaveLow(x4, x5), interleaveLow(x6, x7),
      destination, pixelBytes, live,
    );
    if (live > 4) {
      storeFourPixels(
        interleaveHigh(x0, x1), interleaveHigh(x2, x3), interleaveHigh(x4, x5), interleaveHigh(x6, x7),
        destination + (pixelBytes << 2), pixelBytes, live - 4,
      );
    }
  } else {
    const a = interleaveBytes(loadOne<X>(source, end, whole), loadOne<X>(s1, end, whole));
    const b = interleaveBytes(loadOne<X>(s2, end, whole), loadOne<X>(s3, end, whole));
    const c = interleaveBytes(loadOne<X>(s4, end, whole), loadOne<X>(s5, end, whole));
    const d = interleaveBytes(loadOne<X>(s6, end, whole), loadOne<X>(s7, end, whole));
    const ab0 = interleaveLow(a, b);
    const ab4 = interleaveHigh(a, b);
    const cd0 = interleaveLow(c, d);
    const cd4 = interleaveHigh(c, d);
    const p0 = v128.shuffle<i32>(ab0, cd0, 0, 4, 1, 5);
    const p2 = v128.shuffle<i32>(ab0, cd0, 2, 6, 3, 7);
    const p4 = v128.shuffle<i32>(ab4, cd4, 0, 4, 1, 5);
    const p6 = v128.shuffle<i32>(ab4, cd4, 2, 6, 3, 7);
    let d0 = destination;
    v128.store(d0, lowLessZero<X>(p0, zero));
    if (live > 1) v128.store((d0 += pixelBytes), highLessZero<X>(p0, zero));
    if (live > 2) v128.store((d0 += pixelBytes), lowLessZero<X>(p2, zero));
    if (live > 3) v128.store((d0 += pixelBytes), highLessZero<X>(p2, zero));
    if (live > 4) v128.store((d0 += pixelBytes), lowLessZero<X>(p4, zero));
    if (live > 5) v128.store((d0 += pixelBytes), highLessZero<X>(p4, zero));
    if (live > 6) v128.store((d0 += pixelBytes), lowLessZero<X>(p6, zero));
    if (live > 7) v128.store(d0 + pixelBytes, highLessZero<X>(p6, zero));
  }
}

/** Four pixels of eight channels of int16, given as pairs of channels. */
// @ts-ignore: decorator
@inline
function storeFourPixels(
  c01: v128, c23: v128, c45: v128, c67: v128, destination: usize, pixelBytes: i32, live: i32,
): void {
  const a0 = v128.shuffle<i32>(c01, c23, 0, 4, 1, 5);
  const b0 = v128.shuffle<i32>(c45, c67, 0, 4, 1, 5);
  v128.store(destination, v128.shuffle<i64>(a0, b0, 0, 2));
  if (live > 1) v128.store((destination += pixelBytes), v128.shuffle<i64>(a0, b0, 1, 3));
  const a2 = v128.shuffle<i32>(c01, c23, 2, 6, 3, 7);
  const b2 = v128.shuffle<i32>(c45, c67, 2, 6, 3, 7);
  if (live > 2) v128.store((destination += pixelBytes), v128.shuffle<i64>(a2, b2, 0, 2));
  if (live > 3) v128.store(destination + pixelBytes, v128.shuffle<i64>(a2, b2, 1, 3));
}

/** As packEightChannels for `some` = 1..4 channels from `channel` on; always writes four, see packInput. */
function packFourChannels<X>(
  plane: usize, planePitch: i32, channel: i32, some: i32, pixel: usize, pixelBytes: i32, live: i32, end: usize,
  zero: v128,
): void {
  const last = plane + <usize>((channel + some - 1) * planePitch);
  if (live >= 8 && last + 8 * sizeof<X>() <= end) {
    packBlockOfFour<X>(plane, planePitch, channel, some, pixel, pixelBytes, 8, end, zero, true);
  } else {
    packBlockOfFour<X>(plane, planePitch, channel, some, pixel, pixelBytes, live, end, zero, false);
  }
}

// @ts-ignore: decorator
@inline
function packBlockOfFour<X>(
  plane: usize, planePitch: i32, channel: i32, some: i32, pixel: usize, pixelBytes: i32, live: i32, end: usize,
  zero: v128, whole: bool,
): void {
  const source = plane + <usize>(channel * planePitch);
  const step1 = some > 1 ? planePitch : 0;
  const step2 = some > 2 ? step1 + planePitch : 0;
  const step3 = some > 3 ? step2 + planePitch : 0;
  const x0 = loadOne<X>(source, end, whole);
  const x1 = loadOne<X>(source + step1, end, whole);
  const x2 = loadOne<X>(source + step2, end, whole);
  const x3 = loadOne<X>(source + step3, end, whole);
  let p0: v128;
  let p2: v128;
  let p4: v128;
  let p6: v128;
  if (sizeof<X>() == 2) {
    const a0 = interleaveLow(x0, x1);
    const b0 = interleaveLow(x2, x3);
    const a4 = interleaveHigh(x0, x1);
    const b4 = interleaveHigh(x2, x3);
    p0 = v128.shuffle<i32>(a0, b0, 0, 4, 1, 5);
    p2 = v128.shuffle<i32>(a0, b0, 2, 6, 3, 7);
    p4 = v128.shuffle<i32>(a4, b4, 0, 4, 1, 5);
    p6 = v128.shuffle<i32>(a4, b4, 2, 6, 3, 7);
  } else {
    const a = interleaveBytes(x0, x1);
    const b = interleaveBytes(x2, x3);
    const ab0 = interleaveLow(a, b);
    const ab4 = interleaveHigh(a, b);
    p0 = lowLessZero<X>(ab0, zero);
    p2 = highLessZero<X>(ab0, zero);
    p4 = lowLessZero<X>(ab4, zero);
    p6 = highLessZero<X>(ab4, zero);
  }
  let destination = pixel + (<usize>channel << 1);
  v128.store64_lane(destination, p0, 0);
  if (live > 1) v128.store64_lane((destination += pixelBytes), p0, 1);
  if (live > 2) v128.store64_lane((destination += pixelBytes), p2, 0);
  if (live > 3) v128.store64_lane((destination += pixelBytes), p2, 1);
  if (live > 4) v128.store64_lane((destination += pixelBytes), p4, 0);
  if (live > 5) v128.store64_lane((destination += pixelBytes), p4, 1);
  if (live > 6) v128.store64_lane((destination += pixelBytes), p6, 0);
  if (live > 7) v128.store64_lane(destination + pixelBytes, p6, 1);
}

/**
 * Packs one block of 8 (`wide`) or 4 filters into [run][pair][filter][2] of int16. `weights` points at the
 * block's first filter of the first tap; lanes of filters that do not exist hold whatever follows there, and
 * are never stored.
 */
export function packBlock<W>(
  packed: usize, weights: usize, wide: bool, channels: i32, kernelRows: i32, kernelColumns: i32,
  runsPerRow: i32, tapsPerRun: i32, filters: i32,
): void {
  const end = memoryEnd();
  const zero = i64x2.splat(0);
  const tapStep = <usize>filters * sizeof<W>();
  const channelStep = <usize>(kernelRows * kernelColumns) * tapStep;
  const pairBytes: usize = wide ? 32 : 16;
  let destination = packed;
  for (let run = 0, runs = kernelRows * runsPerRow; run < runs; run++) {
    let first = zero;
    let pending = false;
    for (let tap = 0; tap < tapsPerRun; tap++) {
      let source = weights + <usize>(run * tapsPerRun + tap) * tapStep;
      let channel = 0;
      if (pending) {
        storePair<W>(destination, first, loadEight<W>(source, end), wide);
        destination += pairBytes;
        source += channelStep;
        channel = 1;
        pending = false;
      }
      for (; channel + 2 <= channels; channel += 2) {
        storePair<W>(destination, loadEight<W>(source, end), loadEight<W>(source + channelStep, end), wide);
        destination += pairBytes;
        source += channelStep << 1;
      }
      if (channel < channels) {
        first = loadEight<W>(source, end);
        pending = true;
      }
    }
    if (pending) {
      storePair<W>(destination, first, zero, wide);
      destination += pairBytes;
    }
  }
}

// @ts-ignore: decorator
@inline
function storePair<W>(destination: usize, first: v128, second: v128, wide: bool): void {
  if (sizeof<W>() == 2) {
    v128.store(destination, interleaveLow(first, second));
    if (wide) v128.store(destination, interleaveHigh(first, second), 16);
  } else {
    const both = interleaveBytes(first, second);
    v128.store(destination, i16x8.extend_low_i8x16_s(both));
    if (wide) v128.store(destination, i16x8.extend_high_i8x16_s(both), 16);
  }
}
