/** The page of a report in a browser: it needs nothing, shows the figures of the JSON, and can be used. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reportPage } from '../../src/report/page.ts';
import type { PageData, RunReport } from '../../src/report/page-data.ts';
import { condensim, edge256, projectFile, scratch } from '../cli/command-line.ts';
import { chromiumPath, launchChromium, type OpenPage, openFile } from './browser.test-helper.ts';

const reason = chromiumPath === undefined ? ' (skipped: no Chromium on this machine)' : '';
const path = scratch('page.html');
let browser: Browser;
let data: PageData;
let run: RunReport;

describe.skipIf(chromiumPath === undefined)(`page of a report${reason}`, () => {
  beforeAll(async () => {
    const [compared, valid] = [scratch('compared.json'), scratch('valid.json')];
    const tiny = projectFile('models/tiny-yolov2.yaml');
    const example = projectFile('models/example.yaml');
    const direct = scratch('tiny.html');
    await condensim('simulate', '--model', tiny, '--hw', edge256, '--mode', 'timing', '--report', direct);
    await condensim(
      ...[
        'compare',
        example,
        '--hw',
        edge256,
        '--mode',
        'timing',
        '--details',
        '--json',
        compared,
        '--report',
        path,
      ],
    );
    await condensim('validate', '--model', example, '--hw', edge256, '--json', valid);
    data = { ...dataOf(path), validations: [JSON.parse(readFileSync(valid, 'utf8'))] };
    run = data.runs[0]!;
    writeFileSync(path, reportPage(data));
    browser = await launchChromium();
  });

  afterAll(async () => {
    await browser?.close();
  });

  it('is one file below a megabyte for Tiny-YOLOv2', () => {
    expect(statSync(scratch('tiny.html')).size).toBeLessThan(1_000_000);
    expect(dataOf(scratch('tiny.html')).runs[0]!.totals.cycles).toBeGreaterThan(13_000_000);
  });

  it.each(['light', 'dark'] as const)('opens from disk (%s) without complaint or request', async (scheme) => {
    const { page, complaints, requests } = await openFile(browser, path, scheme);
    expect(await page.evaluate('document.documentElement.dataset.theme')).toBe(scheme);
    expect([complaints, requests]).toEqual([[], []]);
    await page.close();
  });

  it('shows the figures of the JSON', async () => {
    const { page } = await openFile(browser, path);
    const figures = await numbers(page, '.figures dd');
    const { totals, model } = run;
    expect(figures).toEqual([
      totals.cycles,
      totals.seconds,
      totals.framesPerSecond,
      model.macs,
      totals.macUtilization,
      totals.dram.totalBytes,
      totals.peakFeatureMapBytes,
      totals.energy.picojoules,
    ]);
    const shown = await page.locator('.figures dd').first().innerText();
    expect(Number(shown.replaceAll(',', ''))).toBe(totals.cycles);

    const parts = await page
      .locator('#cycles .row')
      .evaluateAll((rows) =>
        rows.map((row) =>
          [...row.querySelectorAll('[data-value]')].map((part) => Number(part.getAttribute('data-value'))),
        ),
      );
    expect(parts).toEqual(
      run.layers.map(({ computeCycles, stalls: s }) =>
        [computeCycles, s.dram, s.bank, s.dependency, s.postProcessing, s.fill].filter((value) => value > 0),
      ),
    );
    const table = await tableOf(page, 'traffic');
    expect(table.slice(0, run.layers.length)).toEqual(
      run.layers.map(({ dram: { byKind: k, ...dram } }) => [
        ...[k.weights, k.inputFeatureMaps, k.outputFeatureMaps, k.virtualFeatureMaps],
        ...[dram.readBytes, dram.writeBytes, dram.totalBytes, dram.rowHits, dram.activates],
      ]),
    );
    expect(table.slice(run.layers.length).map((row) => row[6])).toEqual(
      data.runs.map((one) => one.totals.dram.totalBytes),
    );
    const [area] = data.areas;
    const tiles = await numbers(page, '#area g[data-value]');
    expect(tiles.slice(0, area!.units.length)).toEqual(
      area!.units
        .map(({ gates }) => gates)
        .filter((gates) => gates > 0)
        .sort((a, b) => b - a),
    );
    expect(await tableOf(page, 'accuracy')).toEqual(
      data.validations[0]!.layers.map((layer) => [
        ...[layer.sqnrDb, layer.ownSqnrDb, layer.maxAbsError, layer.cosine],
        ...[layer.errorHistogram!.stepSize, ...layer.errorHistogram!.counts],
      ]),
    );
    await page.close();
  });

  it('draws an area-proportional chip', async () => {
    const { page } = await openFile(browser, path);
    const tiles = await page
      .locator('#area svg')
      .first()
      .locator('g[data-value]')
      .evaluateAll((groups) =>
        groups.map((group) => {
          const rect = group.querySelector('rect')!;
          const size = (name: string) => Number(rect.getAttribute(name)) + 1.5;
          return [Number(group.getAttribute('data-value')), size('width') * size('height')];
        }),
      );
    const large = tiles.filter(([, area]) => area! > 400);
    const density = large.map(([value, area]) => value! / area!);
    expect(large.length).toBeGreaterThan(1);
    expect(Math.max(...density) / Math.min(...density)).toBeLessThan(1.02);
    expect(await page.locator('#area').getByText('CCP', { exact: true }).count()).toBe(1);
    await page.close();
  });

  it('has data in every chart, and gives it as CSV', async () => {
    const { page } = await openFile(browser, path);
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    const ids = await page
      .locator('section.panel:has([data-copy])')
      .evaluateAll((all) => all.map(({ id }) => id));
    expect(ids).toEqual([
      'cycles',
      'traffic',
      'roofline',
      'timeline',
      'buffers',
      'energy',
      'area',
      'accuracy',
      'network',
    ]);
    for (const id of ids) {
      await page.locator(`#${id} [data-copy]`).click();
      const csv = (await page.evaluate('navigator.clipboard.readText()')) as string;
      const lines = csv.trimEnd().split(/\r?\n/);
      expect([id, lines.length > 1]).toEqual([id, true]);
    }
    expect(await page.locator('#roofline circle.dot').count()).toBe(
      run.layers.filter(({ macs }) => macs > 0).length,
    );
    expect(await page.locator('#network .node').count()).toBe(run.details!.network.nodes.length + 1);
    await page.close();
  });

  it('filters by a layer that is clicked, and lets go of it', async () => {
    const { page } = await openFile(browser, path);
    const layer = run.layers[1]!;
    const row = page.locator(`#cycles button.row[data-layer="${layer.name}"]`);
    await row.click();
    expect(await numbers(page, '.figures dd').then(([cycles]) => cycles)).toBe(layer.cycles);
    expect(await row.getAttribute('aria-pressed')).toBe('true');
    expect(await page.locator(`#network [data-layer="${layer.name}"][data-chosen]`).count()).toBeGreaterThan(
      0,
    );
    expect(await tableOf(page, 'cycles')).toHaveLength(2);
    await expect.poll(() => view(page)).toEqual([layer.startCycle, layer.endCycle]);
    await page.keyboard.press('Escape');
    await expect.poll(() => view(page)).toEqual([0, run.totals.cycles]);
    // And with the keyboard alone, on a point of the roofline.
    const point = page.locator('#roofline g[data-layer]').first();
    await point.focus();
    await page.keyboard.press('Enter');
    expect(await point.getAttribute('aria-pressed')).toBe('true');
    await page.close();
  });

  it('zooms the time line down to single commands, with wheel, buttons and keys', async () => {
    const { page } = await openFile(browser, path);
    const canvas = page.locator('canvas[data-chart="timeline"]');
    const length = async () => {
      const [from, to] = await view(page);
      return to! - from!;
    };
    const all = await length();
    await canvas.focus();
    const box = (await canvas.boundingBox())!;
    await page.mouse.move(box.x + box.width / 2, box.y + 60);
    await page.mouse.wheel(0, -500);
    await expect.poll(length).toBeLessThan(0.7 * all);
    await page.keyboard.press('0');
    await expect.poll(length).toBe(all);
    for (let i = 0; i < 24; i++) await page.keyboard.press('+');
    await expect.poll(length).toBe(8);
    await page.keyboard.press('0');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    const array = run.details!.timeline[2]!;
    expect(await page.locator('#timeline .status').innerText()).toContain(`${array.unit}: `);
    expect(await page.locator('#timeline .status').innerText()).toMatch(/command [\d,]+$/);
    await page.close();
  });

  it('draws a million slices with no more rectangles than there are pixels', async () => {
    const slices = 1_000_000;
    const column = (value: number) => `${value} `.repeat(slices).trimEnd();
    const track = {
      ...run.details!.timeline[2]!,
      resolutionCycles: 1,
      slices,
      gaps: column(6),
      cycles: column(10),
      kinds: column(0),
      commands: column(1),
    };
    const cycles = 16 * slices;
    const layers = [{ ...run.layers[0]!, startCycle: 0, endCycle: cycles, cycles }];
    const large = {
      ...run,
      layers,
      totals: { ...run.totals, cycles },
      details: { ...run.details!, timeline: [track] },
    };
    const file = scratch('million.html');
    writeFileSync(file, reportPage({ ...data, runs: [large] }));
    const { page, complaints } = await openFile(browser, file);
    const canvas = page.locator('canvas[data-chart="timeline"]');
    await canvas.focus();
    for (const key of [
      '+',
      '+',
      'ArrowRight',
      'ArrowRight',
      '+',
      '+',
      '+',
      '+',
      '+',
      '+',
      '+',
      '+',
      '+',
      '+',
    ]) {
      await page.keyboard.press(key);
      await page.waitForTimeout(30);
      expect(Number(await canvas.getAttribute('data-drawn'))).toBeLessThanOrEqual(1200);
      expect(Number(await canvas.getAttribute('data-drawn'))).toBeGreaterThan(10);
    }
    expect(complaints).toEqual([]);
    await page.close();
  });

  it.each([
    ['light', 1200],
    ['dark', 1200],
    ['light', 390],
  ] as const)('has no serious accessibility fault (%s, %i pixels wide), and is not wider than the window', async (scheme, width) => {
    const { page } = await openFile(browser, path, scheme, width);
    for (const summary of await page.locator('summary').all()) await summary.click();
    const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
    await page.evaluate(source);
    const result = (await page.evaluate('axe.run()')) as {
      violations: { id: string; impact: string; nodes: { html: string }[] }[];
      passes: unknown[];
    };
    const faults = result.violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes[0]!.html.slice(0, 200)}`);
    expect(result.passes.length).toBeGreaterThan(10);
    expect(faults).toEqual([]);
    expect(
      await page.evaluate('document.documentElement.scrollWidth - window.innerWidth'),
    ).toBeLessThanOrEqual(0);
    await page.close();
  });

  it('can choose another run', async () => {
    const { page } = await openFile(browser, path);
    await page.selectOption('#run', '1');
    await expect
      .poll(() => numbers(page, '.figures dd').then(([cycles]) => cycles))
      .toBe(data.runs[1]!.totals.cycles);
    await page.close();
  });
});

type Page = OpenPage['page'];

const numbers = (page: Page, selector: string): Promise<number[]> =>
  page.locator(selector).evaluateAll((all) => all.map((one) => Number(one.getAttribute('data-value'))));

/** Cycles that the time line shows. */
async function view(page: Page): Promise<number[]> {
  const text = await page.locator('canvas[data-chart="timeline"]').getAttribute('data-view');
  return text!.split(' ').map(Number);
}

/** The figures of a panel's table, words left out; only rows that are to be seen. */
async function tableOf(page: Page, id: string): Promise<number[][]> {
  const details = page.locator(`#${id} details`);
  if ((await details.getAttribute('open')) === null) await details.locator('summary').click();
  await details.locator('table').waitFor();
  return details
    .locator('tbody tr:visible')
    .evaluateAll((rows) =>
      rows.map((row) =>
        [...row.querySelectorAll('td[data-value]')].map((cell) => Number(cell.getAttribute('data-value'))),
      ),
    );
}

function dataOf(file: string): PageData {
  const [, json] = /<script type="application\/json" id="data">(.*)<\/script>/.exec(
    readFileSync(file, 'utf8'),
  )!;
  return JSON.parse(json!);
}
