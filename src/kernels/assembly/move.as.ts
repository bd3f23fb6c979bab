/**
 * @fileoverview Kernels that move values without arithmetic on them: copies, table look-ups and gathers. Only the
 * size of an element matters to a copy; the engine's memory.copy is the fastest there is.
 */

/** See `Kernels.copy` in kernels.ts. */
export function copy(destination: usize, source: usize, bytes: usize): void {
  memory.copy(destination, source, bytes);
}

/** See `Kernels.lookup` in kernels.ts. */
export function lookup(
  input: usize, count: i32, bytes: i32, unsigned: i32, low: i32, table: usize, outBytes: i32, out: usize,
): void {
  if (bytes == 2) {
    if (unsigned) lookupFrom<u16>(input, count, low, table, outBytes, out);
    else lookupFrom<i16>(input, count, low, table, outBytes, out);
  } else {
    if (unsigned) lookupFrom<u8>(input, count, low, table, outBytes, out);
    else lookupFrom<i8>(input, count, low, table, outBytes, out);
  }
}

function lookupFrom<T>(input: usize, count: i32, low: i32, table: usize, outBytes: i32, out: usize): void {
  const end = input + <usize>count * sizeof<T>();
  if (outBytes == 2) {
    for (; input < end; input += sizeof<T>(), out += 2) {
      store<u16>(out, load<u16>(table + (<usize>(<i32>load<T>(input) - low) << 1)));
    }
  } else {
    for (; input < end; input += sizeof<T>(), out += 1) {
      store<u8>(out, load<u8>(table + <usize>(<i32>load<T>(input) - low)));
    }
  }
}

/** See `Kernels.gather` in kernels.ts for the layouts. */
export function gather(
  features: usize, rowPitch: i32, planePitch: i32, planes: i32, outRows: i32, outColumns: i32,
  strideRows: i32, strideColumns: i32, upsampleRows: i32, upsampleColumns: i32,
  offsetRows: i32, offsetColumns: i32, bytes: i32, out: usize,
): void {
  const outRowBytes = <usize>(outColumns * bytes);
  for (let plane = 0; plane < planes; plane++) {
    const start = features + <usize>(plane * planePitch + offsetColumns * bytes);
    let previous = -1;
    for (let y = 0; y < outRows; y++) {
      const row = y * strideRows / upsampleRows;
      const source = start + <usize>((row + offsetRows) * rowPitch);
      if (row == previous) memory.copy(out, out - outRowBytes, outRowBytes);
      else if (strideColumns == upsampleColumns) memory.copy(out, source, outRowBytes);
      else if (bytes == 2) gatherRow<u16>(out, source, outColumns, strideColumns, upsampleColumns);
      else gatherRow<u8>(out, source, outColumns, strideColumns, upsampleColumns);
      previous = row;
      out += outRowBytes;
    }
  }
}

/** out[x] = source[floor(x * stride / upsample)], the quotient kept up without dividing. */
function gatherRow<T>(out: usize, source: usize, columns: i32, stride: i32, upsample: i32): void {
  const whole = <usize>(stride / upsample) * sizeof<T>();
  const part = stride % upsample;
  let rest = 0;
  for (let x = 0; x < columns; x++) {
    store<T>(out, load<T>(source));
    out += sizeof<T>();
    source += whole;
    rest += part;
    if (rest >= upsample) {
      rest -= upsample;
      source += sizeof<T>();
    }
  }
}
