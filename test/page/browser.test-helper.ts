/** Debian's Chromium for the tests of pages; without it they are skipped. */
import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';

const executables = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

export const chromiumPath = executables.find((path) => existsSync(path));

export const launchChromium = (): Promise<Browser> =>
  chromium.launch({
    executablePath: chromiumPath!,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
  });

export interface OpenPage {
  readonly page: Page;
  /** Complaints of the console, and addresses asked for beside the file itself. */
  readonly complaints: string[];
  readonly requests: string[];
}

/** Opens a file from disk as a user would. */
export async function openFile(
  browser: Browser,
  path: string,
  scheme: 'light' | 'dark' = 'light',
  width = 1200,
): Promise<OpenPage> {
  const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme: scheme });
  const complaints: string[] = [];
  const requests: string[] = [];
  const address = pathToFileURL(path).href;
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => {
    if (request.url() !== address) requests.push(request.url());
  });
  await page.goto(address);
  await page.waitForFunction('document.querySelectorAll("canvas[data-view]").length > 0');
  return { page, complaints, requests };
}
