/**
 * The spatial pooling unit in Verilog: the data path. One vector, one row of its map and one pooled row a cycle; which, the
 * write sequencer says (write-verilog.ts). Maxima and sums are the same circuit with another operation in it.
 */
import { bitsFor, literal, type Port, range, type VerilogModule, verilogModule } from '../verilog.ts';

export interface SpatialPoolShape {
  /** Sums are unsigned, and what averages are made of (average-verilog.ts). */
  readonly kind: 'maximum' | 'sum';
  /** Pixels of a vector. */
  readonly lanes: number;
  /** Most rows and columns of a window. */
  readonly window: number;
  /**
   * Bits of a value. Of maxima: signed, and one more than values need, so that the lowest number is below all of them. Of sums:
   * unsigned, and as many as the sum of a window needs.
   */
  readonly value: number;
  /** Bits of a window in the line buffer. */
  readonly stored: number;
}

/** Bits of the distance to a window's last column: up to a stride or window less one. */
export const distanceBits = 8;

/**
 * Maxima over windows of consecutive lanes, merged with what the line buffer holds of the same windows. Window m is the m-th
 * that the segment touches; its last column is `distance` + m * stride lanes behind the segment's first.
 */
export function spatialPoolVerilog({ kind, lanes, window, value, stored }: SpatialPoolShape): VerilogModule {
  const isSum = kind === 'sum';
  const join = isSum ? added : larger;
  const ends = lanes + window - 1;
  const lane = bitsFor(lanes);
  // Places relative to the segment's first lane: the distance and some strides.
  const placeBits = bitsFor(256 * (ends + 1));
  const windowBits = 6;
  const pad = (name: string, width: number): string => `{${placeBits - width}'d0, ${name}}`;
  const levels = bitsFor(window);
  const shiftBits = bitsFor(ends - 1);
  // Bits of a stored value that mean something.
  const kept = Math.min(value, stored);
  const lowest = isSum ? literal(value, 0) : `{1'b1, ${literal(value - 1, 0)}}`;
  const slice = (name: string, index: number, width = value): string =>
    `${name}[${(index + 1) * width - 1}:${index * width}]`;
  const body: string[] = [];

  body.push(
    `// The segment: ${'`count`'} lanes from ${'`skip`'} on; the others count as ${isSum ? 'nothing' : 'lowest'}.`,
  );
  let current = 'values';
  const skipBits = bitsFor(lanes - 1);
  for (let bit = 0; bit < skipBits; bit++) {
    const by = Math.min(2 ** bit, lanes) * value;
    const width = lanes * value;
    const moved = by >= width ? literal(width, 0) : `{${literal(by, 0)}, ${current}[${width - 1}:${by}]}`;
    body.push(`wire ${range(width)} skipped_${bit} = skip[${bit}] ? ${moved} : ${current};`);
    current = `skipped_${bit}`;
  }
  body.push(`wire ${range(ends * value)} doubled_0;`);
  for (let i = 0; i < ends; i++) {
    body.push(
      `assign ${slice('doubled_0', i)} = ${i < lanes ? `(${literal(lane, i)} < count) ? ${slice(current, i)} : ${lowest}` : lowest};`,
    );
  }
  body.push(
    '',
    `// ${isSum ? 'Sums' : 'Maxima'} of 1, 2, 4 .. lanes up to each lane, and of as many as the window has columns: a power of two`,
    '// after the other, as its bits say.',
    `wire ${range(ends * value)} reach_0 = {${ends}{${lowest}}};`,
  );
  for (let level = 0; level < levels; level++) {
    const by = 2 ** level;
    if (level + 1 < levels) body.push(`wire ${range(ends * value)} doubled_${level + 1};`);
    body.push(`wire ${range(ends * value)} reach_${level + 1};`);
    for (let i = 0; i < ends; i++) {
      const own = slice(`doubled_${level}`, i);
      if (level + 1 < levels) {
        const next = slice(`doubled_${level + 1}`, i);
        body.push(
          i < by
            ? `assign ${next} = ${own};`
            : `assign ${next} = ${join(own, slice(`doubled_${level}`, i - by))};`,
        );
      }
      const joined = i < by ? own : join(own, slice(`reach_${level}`, i - by));
      body.push(
        `assign ${slice(`reach_${level + 1}`, i)} = window[${level}] ? (${joined}) : ${slice(`reach_${level}`, i)};`,
      );
    }
  }

  body.push('', '// Window m: `distance` + m * stride lanes behind the first.');
  current = `reach_${levels}`;
  for (let bit = 0; bit < shiftBits; bit++) {
    const by = Math.min(2 ** bit, ends) * value;
    const width = ends * value;
    const moved =
      by >= width ? `{${ends}{${lowest}}}` : `{{${by / value}{${lowest}}}, ${current}[${width - 1}:${by}]}`;
    const selected = bit < distanceBits ? `distance[${bit}]` : "1'b0";
    body.push(`wire ${range(width)} near_${bit} = ${selected} ? ${moved} : ${current};`);
    current = `near_${bit}`;
  }
  body.push(`wire ${range(ends * value)} row;`);
  for (let m = 0; m < ends; m++) {
    const options: string[] = [];
    if (m === 0) options.push(slice(current, 0));
    else {
      for (let stride = 1; stride * m < ends; stride++) {
        options.push(`({${value}{stride == ${literal(8, stride)}}} & ${slice(current, stride * m)})`);
      }
    }
    body.push(`assign ${slice('row', m)} = ${options.join(' | ')};`);
  }

  body.push(
    '',
    '// What is merged, what is open still, and what leaves.',
    `wire ${range(placeBits)} width = ${pad('window', windowBits)};`,
    `wire ${range(placeBits)} length = ${pad('count', lane)};`,
  );
  for (let m = 0; m < ends; m++) {
    const name = `end_${m}`;
    const before = m === 0 ? pad('distance', distanceBits) : `end_${m - 1} + ${pad('stride', 8)}`;
    body.push(
      `wire ${range(placeBits)} ${name} = ${before};`,
      `wire begins_${m} = left_edge | (${name} + ${literal(placeBits, 1)} >= width);`,
      `wire ends_${m} = right_edge | (${name} < length);`,
      `wire touched_${m} = valid & (${name} + ${literal(placeBits, 1)} < length + width) & (${literal(bitsFor(ends), m)} < windows);`,
      `wire ${range(kept)} kept_${m} = line[${m * stored + kept - 1}:${m * stored}];`,
      `wire ${range(value)} old_${m} = ${extended(`kept_${m}`, kept, value)};`,
      `wire ${range(value)} merged_${m} = (first_row & begins_${m}) ? ${slice('row', m)} : (${join(slice('row', m), `old_${m}`)});`,
      `assign out[${(m + 1) * value - 1}:${m * value}] = merged_${m};`,
      `assign leaves[${m}] = touched_${m} & last_row & ends_${m};`,
      `assign stays[${m}] = touched_${m} & ~(last_row & ends_${m});`,
    );
  }
  const spare: string[] = [];
  if (windowBits > levels) spare.push(`window[${windowBits - 1}:${levels}]`);
  if (value < stored) spare.push('line');
  if (ends === 1) spare.push('stride');

  const input = (name: string, width?: number, meaning?: string): Port => ({
    direction: 'input',
    name,
    ...(width !== undefined && { width }),
    ...(meaning !== undefined && { meaning }),
  });
  return verilogModule({
    name: isSum ? 'spatial_sum' : 'spatial_pool',
    about: [
      `Spatial pooling, ${isSum ? 'sums for averages' : 'maximum'}: ${lanes} lanes, windows of up to ${window} x ${window}. A cycle merges one row of the`,
      `vector into one pooled row: ${isSum ? 'sums' : 'maxima'} over the columns of each window, then with what the line buffer`,
      'has of it. Windows that are complete leave, the others stay.',
    ],
    ports: [
      input('valid'),
      input('values', lanes * value, `lane i: bits ${value} i and up, ${isSum ? 'unsigned' : 'signed'}`),
      input('skip', lane, 'lanes of earlier rows'),
      input('count', lane, 'lanes of this row'),
      input('window', windowBits, 'columns'),
      input('stride', 8),
      input('distance', distanceBits, 'lanes from the first to the last column of window 0'),
      input('windows', bitsFor(ends), 'at most so many are inside the pooled row'),
      input('left_edge', undefined, "the row's first pixel is here"),
      input('right_edge', undefined, "the row's last pixel is here"),
      input('first_row', undefined, 'of the windows'),
      input('last_row'),
      ...(isSum ? [] : [input('unsigned_values')]),
      input('line', ends * stored, 'of the line buffer, window 0 lowest'),
      { direction: 'output', name: 'out', width: ends * value, meaning: 'the same windows merged' },
      { direction: 'output', name: 'stays', width: ends, meaning: 'to the line buffer' },
      { direction: 'output', name: 'leaves', width: ends, meaning: 'to the output buffer' },
    ],
    body: [
      ...body,
      ...(skipBits < lane ? [`wire unused_skip = skip[${lane - 1}];`] : []),
      ...(spare.length > 0 ? [`wire unused = |{${spare.join(', ')}};`] : []),
      ...(stored >= value && !isSum ? ['wire unused_sign = unsigned_values;'] : []),
    ],
  });

  function extended(name: string, from: number, to: number): string {
    if (from >= to) return `${name}${range(to)}`;
    if (isSum) return `{${literal(to - from, 0)}, ${name}}`;
    return `{{${to - from}{${name}[${from - 1}] & ~unsigned_values}}, ${name}}`;
  }
}

function added(left: string, right: string): string {
  return `${left} + ${right}`;
}

function larger(left: string, right: string): string {
  return `($signed(${left}) > $signed(${right})) ? ${left} : ${right}`;
}
