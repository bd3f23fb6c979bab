/** A question, its answer, a picture, and the figures behind it as table and CSV. */
import { copy, h } from './dom.ts';
import { figure } from './format.ts';

export type Cell = string | number | null;

export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly { readonly layer?: string | undefined; readonly cells: readonly Cell[] }[];
}

export interface Panel {
  readonly id: string;
  readonly question: string;
  readonly answer: string;
  readonly picture: readonly Node[];
  readonly notes?: readonly string[];
  /** Made when it is looked at or copied. Absent where there is nothing. */
  readonly table?: () => Table;
}

export function panelElement({ id, question, answer, picture, notes, table }: Panel): HTMLElement {
  const heading = h('h2', { id: `${id}-title` }, question);
  const section = h(
    'section',
    { class: 'panel', id, 'aria-labelledby': `${id}-title` },
    h('div', { class: 'title' }, heading, table ? copyButton(question, table) : null),
    h('p', { class: 'answer' }, answer),
    ...picture,
    ...(notes ?? []).map((note) => h('p', { class: 'note' }, note)),
  );
  if (table) section.append(tableOf(table, question));
  return section;
}

function copyButton(question: string, table: () => Table): HTMLElement {
  const button = h('button', { class: 'control', type: 'button', 'data-copy': '' }, 'Copy CSV');
  button.append(h('span', { class: 'hidden' }, ` of: ${question}`));
  const word = button.firstChild!;
  button.addEventListener('click', async () => {
    word.textContent = (await copy(csv(table()))) ? 'Copied' : 'Not copied';
    setTimeout(() => {
      word.textContent = 'Copy CSV';
    }, 1500);
  });
  return button;
}

/** RFC 4180, with the figures as they are in the JSON. */
export function csv({ columns, rows }: Table): string {
  const field = (cell: Cell) => {
    const text = cell === null ? '' : String(cell);
    return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [columns, ...rows.map(({ cells }) => cells)]
    .map((cells) => `${cells.map(field).join(',')}\r\n`)
    .join('');
}

const mostRows = 2000;

function tableOf(table: () => Table, question: string): HTMLElement {
  const details = h('details', {}, h('summary', {}, 'Figures as a table'));
  const scroll = h('div', {
    class: 'scroll',
    tabindex: 0,
    role: 'region',
    'aria-label': `Figures: ${question}`,
  });
  details.append(scroll);
  details.addEventListener('toggle', () => {
    if (!details.open) {
      scroll.replaceChildren();
      return;
    }
    const { columns, rows } = table();
    const isWord = columns.map((_, column) => rows.some(({ cells }) => typeof cells[column] === 'string'));
    const chosen = document.body.dataset.layer;
    const body = h('tbody');
    for (const { layer, cells } of rows.slice(0, mostRows)) {
      const row = h('tr', { 'data-layer': layer });
      if (layer !== undefined && layer === chosen) row.setAttribute('data-chosen', '');
      cells.forEach((cell, column) => {
        const word = isWord[column] ? 'word' : '';
        row.append(
          typeof cell === 'number'
            ? h('td', { class: word, 'data-value': cell }, figure(cell))
            : h('td', { class: word }, cell ?? ''),
        );
      });
      body.append(row);
    }
    const head = h(
      'tr',
      {},
      ...columns.map((name, i) => h('th', { class: isWord[i] ? 'word' : '', scope: 'col' }, name)),
    );
    scroll.replaceChildren(h('table', {}, h('thead', {}, head), body));
    if (rows.length > mostRows) {
      scroll.append(
        h('p', { class: 'note' }, `The first ${mostRows} of ${rows.length} rows; the CSV has all.`),
      );
    }
  });
  return details;
}
