/** @fileoverview Makes docs/images/report.png: `npx tsx scripts/report-picture.ts`. Needs Chromium and `npm run build:page`. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { run } from '../src/cli/main.ts';

const target = fileURLToPath(new URL('../docs/images/report.png', import.meta.url));
const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((path) => existsSync(path));
if (executablePath === undefined) throw new Error('Chromium is not installed');

const folder = mkdtempSync(join(tmpdir(), 'condensim-picture-'));
try {
  const file = join(folder, 'report.html');
  const code = await run(['compare', '--mode', 'timing', '--report', file], {
    stdout: { write() {} },
    stderr: process.stderr,
  });
  if (code !== 0) throw new Error(`compare ended with ${code}`);
  const browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
  const page = await browser.newPage({ viewport: { width: 1040, height: 1430 }, colorScheme: 'light' });
  await page.goto(pathToFileURL(file).href);
  // The run whose virtual maps stay on chip.
  await page.selectOption('#run', '1');
  await page.locator('h1').click();
  await page.waitForTimeout(500);
  await page.screenshot({ path: target });
  await browser.close();
} finally {
  rmSync(folder, { recursive: true });
}
