/** Stacked bars, a row a thing, plain HTML: they wrap, print and take the focus by themselves. */
import { h } from './dom.ts';
import { figure, percents } from './format.ts';

export interface Part {
  readonly name: string;
  readonly colour: string;
}

export interface Row {
  readonly name: string;
  /** Makes the row a button that chooses this layer. */
  readonly layer?: string | undefined;
  /** One a part. */
  readonly values: readonly number[];
  /** Beside the bar; default: the sum. */
  readonly amount?: string;
}

export function legend(parts: readonly Part[]): HTMLElement {
  return h(
    'ul',
    { class: 'legend' },
    ...parts.map(({ name, colour }) =>
      h('li', {}, h('span', { class: 'swatch', style: `background:${colour}` }), name),
    ),
  );
}

/** @param whole the sum that is a full bar; default: the largest row */
export function stackedBars(
  parts: readonly Part[],
  rows: readonly Row[],
  unit: string,
  whole = Math.max(1e-300, ...rows.map(({ values }) => total(values))),
): HTMLElement {
  return h('div', { class: 'rows' }, ...rows.map((row) => bar(parts, row, unit, whole)));
}

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

function bar(parts: readonly Part[], row: Row, unit: string, whole: number): HTMLElement {
  const { name, layer, values } = row;
  const all = total(values);
  const lines = parts.flatMap((part, i) =>
    values[i]! > 0 ? [`${part.name}: ${figure(values[i]!)} ${unit} (${percents(values[i]! / all)})`] : [],
  );
  const text = [`${name}: ${figure(all)} ${unit}`, ...lines].join('\n');
  const stack = h(
    'span',
    { class: 'stack' },
    ...parts.flatMap((part, i) => {
      const value = values[i]!;
      if (value <= 0) return [];
      const share = `width:${(100 * value) / whole}%;background:${part.colour}`;
      const tip = `${name}, ${part.name}: ${figure(value)} ${unit}\n${percents(value / all, 2)} of ${figure(all)}`;
      return [h('span', { style: share, 'data-tip': tip, 'data-value': value, 'data-part': part.name })];
    }),
  );
  const inside = [
    h('span', { class: 'name' }, name),
    stack,
    h('span', { class: 'amount' }, row.amount ?? figure(all)),
  ];
  return layer === undefined
    ? h(
        'div',
        { class: 'row', 'data-tip': text, role: 'img', 'aria-label': text.replaceAll('\n', '; ') },
        ...inside,
      )
    : h(
        'button',
        {
          class: 'row',
          type: 'button',
          'data-layer': layer,
          'data-tip': text,
          'aria-description': lines.join('; '),
        },
        ...inside,
      );
}
