/** The page: reads its data, draws a panel a question, and keeps the choice of run and layer in step everywhere. */
import type { PageData } from '../page-data.ts';
import { accuracyPanel } from './accuracy.ts';
import { areaPanel } from './area.ts';
import { buffersPanel } from './buffers.ts';
import { cyclesPanel } from './cycles.ts';
import { h, startTips } from './dom.ts';
import { energyPanel } from './energy.ts';
import { compact, decimal, energyText, grouped, percents } from './format.ts';
import { networkPanel } from './network.ts';
import { rooflinePanel } from './roofline.ts';
import { State } from './state.ts';
import { timelinePanel } from './timeline.ts';
import { runName, trafficPanel } from './traffic.ts';

// The order of the questions.
const panels = [
  cyclesPanel,
  trafficPanel,
  rooflinePanel,
  timelinePanel,
  buffersPanel,
  energyPanel,
  areaPanel,
  accuracyPanel,
  networkPanel,
] as const;

const data = JSON.parse(document.getElementById('data')!.textContent!) as PageData;
const state = new State(data);
const page = document.getElementById('page')!;

startTheme();
startTips();
startChoice();
state.onRun(draw);
draw();

function draw(): void {
  const { run } = state;
  const contents = h('nav', { class: 'contents', 'aria-label': 'Questions' });
  const sections = panels.map((panel) => panel(state));
  for (const section of sections) {
    contents.append(h('a', { href: `#${section.id}` }, section.querySelector('h2')!.textContent!));
  }
  page.replaceChildren(
    h(
      'header',
      {},
      h('h1', {}, `${run.model.name} on ${run.hardware.name}`),
      h(
        'p',
        { class: 'lead' },
        `${run.mode === 'full' ? 'Full run: every byte moved' : 'Timing run: no data'} · ${run.hardware.clockMHz} MHz · ${grouped(run.hardware.processingElements)} processing elements · ${grouped(run.hardware.totalBufferBytes)} bytes on chip · weights: ${run.model.weights}`,
      ),
    ),
    toolbar(),
    h('main', {}, figures(), contents, ...sections, conventions()),
  );
  state.onLayer(markLayer);
  state.onLayer(() => {
    main().querySelector('.figures')!.replaceWith(figures());
  });
  markLayer();
}

function main(): HTMLElement {
  return page.querySelector('main')!;
}

function toolbar(): HTMLElement {
  const bar = h('div', { class: 'bar', role: 'toolbar', 'aria-label': 'Choice' });
  if (data.runs.length > 1) {
    const select = h(
      'select',
      { class: 'control', id: 'run' },
      ...data.runs.map((run, index) => h('option', { value: index }, runName(run))),
    );
    select.value = String(data.runs.indexOf(state.run));
    select.addEventListener('change', () => {
      state.chooseRun(Number(select.value));
      document.getElementById('run')?.focus();
    });
    bar.append(h('label', { for: 'run' }, 'Run'), select);
  }
  const layer = h(
    'select',
    { class: 'control', id: 'layer' },
    h('option', { value: '' }, 'all layers'),
    ...state.run.layers.map(({ name }) => h('option', { value: name }, name)),
  );
  layer.addEventListener('change', () => state.chooseLayer(layer.value === '' ? null : layer.value));
  const theme = h('button', { class: 'control', type: 'button', id: 'theme' }, 'Light or dark');
  theme.addEventListener('click', () => {
    setTheme(document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark');
  });
  bar.append(h('label', { for: 'layer' }, 'Layer'), layer, h('span', { class: 'space' }), theme);
  return bar;
}

/** The figures of the run, or of the chosen layer. */
function figures(): HTMLElement {
  const { run, layer: name } = state;
  const { totals, hardware } = run;
  const layer = run.layers.find((one) => one.name === name);
  const { cycles } = layer ?? totals;
  const macs = layer?.macs ?? run.model.macs;
  const dram = (layer ?? totals).dram;
  const energy = (layer ?? totals).energy.picojoules;
  const seconds = layer === undefined ? totals.seconds : cycles / (hardware.clockMHz * 1e6);
  const cell = (term: string, figure: string, unit: string, value: number) =>
    h(
      'div',
      {},
      h('dt', {}, term),
      h(
        'dd',
        { 'data-value': value, 'data-figure': term },
        figure,
        h('small', {}, unit === '' ? '' : ` ${unit}`),
      ),
    );
  const of = name === null ? '' : `, ${name}`;
  return h(
    'dl',
    { class: 'figures' },
    cell(`cycles${of}`, grouped(cycles), '', cycles),
    cell('time', decimal(seconds * 1000, 3), 'ms', seconds),
    ...(layer === undefined
      ? [cell('frames', decimal(totals.framesPerSecond, 2), 'a second', totals.framesPerSecond)]
      : []),
    cell('MACs', compact(macs), '', macs),
    cell(
      'PE utilisation',
      percents((layer?.utilization ?? totals.macUtilization) as number),
      '',
      layer?.utilization ?? totals.macUtilization,
    ),
    cell('DRAM traffic', grouped(dram.totalBytes), 'bytes', dram.totalBytes),
    ...(layer === undefined
      ? [cell('peak feature maps', grouped(totals.peakFeatureMapBytes), 'bytes', totals.peakFeatureMapBytes)]
      : []),
    cell('energy', ...energyText(energy), energy),
  );
}

function conventions(): HTMLElement {
  return h(
    'section',
    { class: 'panel', id: 'conventions', 'aria-labelledby': 'conventions-title' },
    h('h2', { id: 'conventions-title' }, 'Which conventions hold?'),
    h('ul', { class: 'conventions' }, ...state.run.conventions.map((line) => h('li', {}, line))),
  );
}

/** A click on anything that stands for a layer chooses it; a second one chooses none. */
function startChoice(): void {
  const choose = (target: EventTarget | null): boolean => {
    if (!(target instanceof Element)) return false;
    const element = target.closest('button[data-layer], g[data-layer]');
    const name = element?.getAttribute('data-layer') ?? null;
    if (name === null) return false;
    state.chooseLayer(state.layer === name ? null : name);
    return true;
  };
  document.addEventListener('click', ({ target }) => choose(target));
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && state.layer !== null) state.chooseLayer(null);
    if (!(event.target instanceof SVGElement) || (event.key !== 'Enter' && event.key !== ' ')) return;
    if (choose(event.target)) event.preventDefault();
  });
}

function markLayer(): void {
  const { layer } = state;
  document.body.classList.toggle('filtered', layer !== null);
  if (layer === null) delete document.body.dataset.layer;
  else document.body.dataset.layer = layer;
  for (const element of page.querySelectorAll('[data-layer]')) {
    const isChosen = element.getAttribute('data-layer') === layer;
    element.toggleAttribute('data-chosen', isChosen);
    if (element.matches('button, g')) element.setAttribute('aria-pressed', String(isChosen));
  }
  const select = document.getElementById('layer');
  if (select instanceof HTMLSelectElement) select.value = layer ?? '';
}

function startTheme(): void {
  const dark = window.matchMedia('(prefers-color-scheme: dark)');
  setTheme(dark.matches ? 'dark' : 'light');
  dark.addEventListener('change', () => setTheme(dark.matches ? 'dark' : 'light'));
  // Paper is light.
  let before = '';
  window.addEventListener('beforeprint', () => {
    before = document.documentElement.dataset.theme ?? 'light';
    setTheme('light');
  });
  window.addEventListener('afterprint', () => setTheme(before));
}

function setTheme(theme: string): void {
  document.documentElement.dataset.theme = theme;
  state.show(state.view.from, state.view.to);
}
