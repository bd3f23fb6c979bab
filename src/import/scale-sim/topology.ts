/**
 * SCALE-Sim's topologies: a line a layer behind a line of column names, of convolutions
 *
 *     Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,
 *
 * or of matrix products [M x K] times [K x N]
 *
 *     Layer, M, N, K,
 *
 * SCALE-Sim itself skips the first line whatever it says and cuts off what stands behind the last comma; here the names
 * decide what the columns are, and the comma at the end may be missing.
 */
import { quote } from '../../config/source.ts';
import { InputError, type SourcePosition } from '../../core/diagnostics.ts';
import { ceilDiv } from '../../core/integers.ts';
import { type Cell, parseTable, wholeNumber } from './table.ts';

/** A layer; nothing it reads comes from another one. A product is a convolution of one cell. */
export interface TopologyLayer {
  readonly name: string;
  readonly at: SourcePosition;
  /** Of its input. */
  readonly channels: number;
  readonly rows: number;
  readonly columns: number;
  readonly kernel: readonly [rows: number, columns: number];
  readonly stride: readonly [rows: number, columns: number];
  readonly filters: number;
  /** Every channel has `filters` filters of its own. */
  readonly depthwise: boolean;
}

/** Rows and columns of maps: what a command of the machine can say. */
const MOST_SIDE = 65535;
const MOST_CHANNELS = 65536;
/** Of windows and their steps. */
const MOST_WINDOW = 64;

const CONVOLUTION_COLUMNS: readonly (readonly [title: string, pattern: RegExp])[] = [
  ['IFMAP Height', /^ifmap(height|width)?$/],
  ['IFMAP Width', /^ifmap(height|width)?$/],
  ['Filter Height', /^filter(height|width)?$/],
  ['Filter Width', /^filter(height|width)?$/],
  ['Channels', /^(num)?channels?$/],
  ['Num Filter', /^numfilters?$/],
  ['Strides', /^strides?(height)?$/],
];
const PRODUCT_COLUMNS: typeof CONVOLUTION_COLUMNS = [
  ['M', /^m$/],
  ['N', /^n$/],
  ['K', /^k$/],
];

/** Columns that may follow. */
type Extra = 'secondStride' | 'sparsity' | 'batch';
const EXTRA_COLUMNS: readonly (readonly [extra: Extra, pattern: RegExp])[] = [
  ['secondStride', /^strides?width$/],
  ['sparsity', /^sparsity(support|ratio)?$/],
  ['batch', /^batch(size)?$/],
];

/** What the columns of a file are. */
interface Columns {
  /** Whether layers are products of matrices; else convolutions. */
  readonly isProduct: boolean;
  readonly titles: readonly string[];
  /** By column. */
  readonly extras: ReadonlyMap<number, Extra>;
}

/**
 * Reads a topology's text; `file` names it in messages.
 * @throws InputError with line and column for whatever no layer can be made of
 */
export function parseTopology(text: string, file: string): TopologyLayer[] {
  const [head, ...rows] = parseTable(text, file);
  if (head === undefined) {
    throw new InputError(`is empty, expected a line of column names (${usualNames})`, { file });
  }
  const columns = columnsOf(head);
  if (rows.length === 0) {
    throw new InputError('has no layers, expected at least one line behind the column names', { file });
  }
  return rows.map((row, index) => layerOf(row, index, columns));
}

const usualNames = `Layer name, ${CONVOLUTION_COLUMNS.map(([title]) => title).join(', ')}; or Layer, M, N, K`;

/** A column's name without what writers of these files do differently. */
const plain = ({ text }: Cell): string => text.toLowerCase().replace(/[^a-z0-9]/g, '');

function columnsOf(head: readonly Cell[]): Columns {
  const [, second] = head;
  const isProduct = second !== undefined && /^[mnk]$/.test(plain(second));
  const wanted = isProduct ? PRODUCT_COLUMNS : CONVOLUTION_COLUMNS;
  wanted.forEach(([title, pattern], i) => {
    const cell = head[i + 1];
    if (cell === undefined || !pattern.test(plain(cell))) {
      throw new InputError(
        `the column names ${cell === undefined ? `end before '${title}'` : `have ${quote(cell.text)} in place of '${title}'`}, expected ${usualNames}`,
        (cell ?? head.at(-1)!).at,
      );
    }
  });
  const extras = new Map<number, Extra>();
  head.slice(wanted.length + 1).forEach((cell, i) => {
    if (cell.text === '') return;
    const extra = EXTRA_COLUMNS.find(([, pattern]) => pattern.test(plain(cell)))?.[0];
    if (extra === undefined || (extra === 'secondStride' && isProduct)) {
      throw new InputError(
        `column ${quote(cell.text)} is not known, expected ${isProduct ? '' : 'a second stride, '}Sparsity or Batch Size`,
        cell.at,
      );
    }
    extras.set(wanted.length + 1 + i, extra);
  });
  return { isProduct, titles: wanted.map(([title]) => title), extras };
}

function layerOf(row: readonly Cell[], index: number, { isProduct, titles, extras }: Columns): TopologyLayer {
  const [label] = row as [Cell];
  const values = row.slice(1, titles.length + 1);
  if (values.length < titles.length) {
    throw new InputError(
      `the line has ${values.length} values behind the name, expected ${titles.length} (${titles.join(', ')})`,
      label.at,
    );
  }
  const number = (at: number, most: number): number => wholeNumber(titles[at]!, values[at]!, most);
  const more = readExtras(row, titles.length + 1, extras, isProduct);
  const common = { name: label.text === '' ? `layer${index + 1}` : label.text, at: label.at };
  if (isProduct) {
    const [rows, filters, channels] = [
      number(0, MOST_SIDE),
      number(1, MOST_CHANNELS),
      number(2, MOST_CHANNELS),
    ];
    const one = [1, 1] as const;
    return { ...common, channels, rows, columns: 1, kernel: one, stride: one, filters, depthwise: false };
  }
  const [rows, columns] = [number(0, MOST_SIDE), number(1, MOST_SIDE)];
  const kernel = [
    windowSide(titles[2]!, values[2]!, rows, 'rows'),
    windowSide(titles[3]!, values[3]!, columns, 'columns'),
  ] as const;
  const [channels, filters] = [number(4, MOST_CHANNELS), number(5, MOST_CHANNELS)];
  const firstStride = number(6, MOST_WINDOW);
  const stride = [firstStride, more ?? firstStride] as const;
  // SCALE-Sim goes by these two letters in a layer's name.
  const depthwise = common.name.includes('DP');
  return { ...common, channels, rows, columns, kernel, stride, filters, depthwise };
}

function windowSide(title: string, cell: Cell, side: number, unit: string): number {
  const value = wholeNumber(title, cell, MOST_SIDE);
  if (value > side) {
    throw new InputError(`${title}: ${value} is larger than the input of ${side} ${unit}`, cell.at);
  }
  if (value > MOST_WINDOW) {
    throw new InputError(
      `${title}: ${value}, expected at most ${MOST_WINDOW}; a filter as large as its input is a product (Layer, M, N, K)`,
      cell.at,
    );
  }
  return value;
}

/** Checks what stands behind a line's last value, and hands back the second stride. */
function readExtras(
  row: readonly Cell[],
  from: number,
  extras: Columns['extras'],
  isProduct: boolean,
): number | undefined {
  let secondStride: number | undefined;
  for (let at = from; at < row.length; at++) {
    const cell = row[at]!;
    if (cell.text === '') continue;
    // The first column behind the strides needs no name: SCALE-Sim 2 reads a stride there, 3 a sparsity.
    const nameless = at === from && extras.size === 0;
    const extra =
      extras.get(at) ?? (nameless ? (cell.text.includes(':') ? 'sparsity' : 'secondStride') : undefined);
    if (extra === undefined || (extra === 'secondStride' && isProduct)) {
      throw new InputError(
        `${quote(cell.text)} stands behind the last column, expected ${from} values in the line`,
        cell.at,
      );
    }
    if (extra === 'secondStride') secondStride = wholeNumber('Stride Width', cell, MOST_WINDOW);
    else if (extra === 'sparsity') checkDense(cell);
    else if (wholeNumber('Batch Size', cell, 10 ** 9) !== 1) {
      throw new InputError(`Batch Size: ${cell.text} is not run here, expected 1`, cell.at);
    }
  }
  return secondStride;
}

/** N:M, N of M weights are kept. The machine skips no zeros: only all of them can be run. */
function checkDense({ text, at }: Cell): void {
  const [, kept, all] = /^(\d{1,4})\s*:\s*(\d{1,4})$/.exec(text) ?? [];
  if (kept === undefined || Number(kept) < 1) {
    throw new InputError(`Sparsity: expected N:M, got ${quote(text)}`, at);
  }
  if (Number(kept) !== Number(all)) {
    throw new InputError(
      `Sparsity: ${quote(text)} leaves weights out, which the machine can't, expected N:N (dense)`,
      at,
    );
  }
}

/** How SCALE-Sim counts a side of the output: the last window may hang over the edge. */
export function outputSide(side: number, kernel: number, stride: number): number {
  return ceilDiv(side - kernel + stride, stride);
}
