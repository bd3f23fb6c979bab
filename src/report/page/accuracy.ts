/** How far the integers are from float: by layer, and as a histogram of errors. */
import type { ValidationReport } from '../page-data.ts';
import { stackedBars } from './bars.ts';
import { h, onWidth, s } from './dom.ts';
import { compact, decimal, grouped, percents } from './format.ts';
import { panelElement } from './panel.ts';
import type { State } from './state.ts';

type Layer = ValidationReport['layers'][number];

const decibels = (value: Layer['sqnrDb']): number => Number(value);

export function accuracyPanel(state: State): HTMLElement {
  const { run, data } = state;
  const question = 'How far from float?';
  const found = data.validations.find(({ model }) => model.name === run.model.name);
  if (found === undefined) {
    return panelElement({
      id: 'accuracy',
      question,
      answer: `Not measured for ${run.model.name} here: give report the JSON of validate --model FILE --hw FILE --json too.`,
      picture: [],
    });
  }
  const { layers } = found;
  const worst = layers.reduce((a, b) => (decibels(b.sqnrDb) < decibels(a.sqnrDb) ? b : a));
  const name = (layer: Layer) => layerOf(state, layer.name) ?? undefined;
  const chart = h('div', {});
  const caption = h('h3', {});
  let width = 0;
  const show = () => {
    const chosen =
      layers.find((layer) => name(layer) === state.layer && state.layer !== null) ?? layers.at(-1)!;
    const { errorHistogram } = chosen;
    caption.textContent = `Errors of ${chosen.name}, in steps of its output`;
    if (width === 0) return;
    chart.replaceChildren(
      errorHistogram === undefined
        ? h('p', { class: 'note' }, 'This JSON holds no histograms.')
        : histogram(errorHistogram, width),
    );
  };
  onWidth(chart, (next) => {
    width = next;
    show();
  });
  state.onLayer(show);
  show();
  return panelElement({
    id: 'accuracy',
    question,
    answer:
      `The lowest signal-to-noise ratio is ${decimal(decibels(worst.sqnrDb), 1)} dB, behind ${worst.name}; the output has ${decibels(layers.at(-1)!.sqnrDb).toFixed(1)} dB. ` +
      (found.acceleratorEqualsInteger
        ? `The accelerator equals the integer reference bit for bit (${found.tensorsCompared} tensors).`
        : `The accelerator differs from the integer reference in ${grouped(found.mismatches)} values.`),
    picture: [
      h('h3', {}, 'Signal to quantisation noise (dB)'),
      stackedBars(
        [{ name: 'SQNR', colour: 'var(--c0)' }],
        layers.map((layer) => ({
          name: layer.name,
          layer: name(layer),
          values: [Math.max(0, Number.isFinite(decibels(layer.sqnrDb)) ? decibels(layer.sqnrDb) : 0)],
          amount: Number.isFinite(decibels(layer.sqnrDb))
            ? `${decibels(layer.sqnrDb).toFixed(1)} dB`
            : String(layer.sqnrDb),
        })),
        'dB',
      ),
      caption,
      chart,
    ],
    notes: [
      `Inputs: ${found.inputs.join(', ')}. Weights: ${found.model.weights}. Of several inputs the worst figure of each layer.`,
    ],
    table: () => ({
      columns: [
        'layer',
        'SQNR (dB)',
        'by itself (dB)',
        'largest error',
        'cosine',
        'step',
        ...Array.from({ length: 33 }, (_, bin) => `${bin - 16}`),
      ],
      rows: layers.map((layer) => ({
        layer: name(layer),
        cells: [
          layer.name,
          layer.sqnrDb,
          layer.ownSqnrDb,
          layer.maxAbsError,
          layer.cosine,
          layer.errorHistogram?.stepSize ?? null,
          ...(layer.errorHistogram?.counts ?? new Array<null>(33).fill(null)),
        ],
      })),
    }),
  });
}

/** The pass that carries out a layer of the network. */
function layerOf({ run }: State, name: string): string | undefined {
  return run.layers.find((layer) => layer.name === name || layer.fused.includes(name))?.name;
}

const height = 190;

function histogram({ counts, stepSize }: NonNullable<Layer['errorHistogram']>, width: number): SVGSVGElement {
  const most = Math.max(1, ...counts);
  const all = counts.reduce((sum, value) => sum + value, 0);
  const outer = (counts.length - 1) / 2;
  const left = 44;
  const base = height - 34;
  const wide = (width - left) / counts.length;
  const svg = s('svg', { width, height, role: 'group', 'aria-label': 'Histogram of errors' });
  for (const share of [0.5, 1]) {
    const y = base - share * (base - 14);
    svg.append(
      s('line', { class: 'grid', x1: left, x2: width, y1: y, y2: y }),
      s('text', { class: 'muted', x: left - 6, y: y + 4, 'text-anchor': 'end' }, compact(share * most)),
    );
  }
  counts.forEach((value, bin) => {
    const steps = bin - outer;
    const bounds =
      Math.abs(steps) === outer
        ? `${steps} steps or beyond`
        : `${steps} steps (${(steps * stepSize).toPrecision(3)})`;
    const text = `${bounds}: ${grouped(value)} values, ${percents(value / Math.max(1, all), 2)}`;
    const tall = (value / most) * (base - 14);
    svg.append(
      s(
        'g',
        { 'data-tip': text, role: 'img', 'aria-label': text, 'data-value': value },
        s('rect', { x: left + bin * wide, y: 0, width: wide, height: base, fill: 'transparent' }),
        s('rect', {
          x: left + bin * wide + 0.5,
          y: base - tall,
          width: Math.max(1, wide - 1.5),
          height: tall,
          fill: 'var(--c0)',
        }),
      ),
    );
    if (steps % 4 === 0) {
      const word = steps === -outer ? `≤${steps}` : steps === outer ? `≥${steps}` : String(steps);
      svg.append(
        s(
          'text',
          { class: 'muted', x: left + (bin + 0.5) * wide, y: base + 15, 'text-anchor': 'middle' },
          word,
        ),
      );
    }
  });
  svg.append(
    s('line', { class: 'axis', x1: left, x2: width, y1: base, y2: base }),
    s(
      'text',
      { class: 'muted', x: (left + width) / 2, y: height - 3, 'text-anchor': 'middle' },
      `error in steps of ${stepSize.toPrecision(4)}`,
    ),
  );
  return svg;
}
