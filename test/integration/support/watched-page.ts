import axe from 'axe-core';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

/** The system's Chromium, without a window. */
export async function openBrowser(): Promise<Browser> {
  const executablePath = process.env['HYDRA_TEST_CHROMIUM'];
  if (!executablePath) throw new Error('HYDRA_TEST_CHROMIUM is not set: run `make test-integration`');
  // Chromium's sandbox needs rights that containers and root do not have; the only page is our own.
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

/** Before a test says what it waited for in vain. */
const LONGEST_WAIT_MS = 20_000;

/** A page and all that must never happen in it. */
export interface WatchedPage {
  readonly page: Page;
  /** Errors and warnings of the browser's console, and errors that nobody caught. */
  readonly complaints: readonly string[];
  /** Addresses of every request so far. */
  readonly requests: readonly string[];
}

/** @param expected  of complaints that the test brings about itself */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
  expected?: RegExp,
): Promise<WatchedPage> {
  const page = await (await browser.newContext(options)).newPage();
  page.setDefaultTimeout(LONGEST_WAIT_MS);
  const complaints: string[] = [];
  const requests: string[] = [];
  const complain = (text: string) => {
    if (expected?.test(text) !== true) complaints.push(text);
  };
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complain(message.text());
  });
  page.on('pageerror', (error) => complain(String(error)));
  page.on('request', (request) => requests.push(request.url()));
  await page.goto(url);
  return { page, complaints, requests };
}

/** What axe finds wrong with the page as it is now, in words. */
export async function accessibilityFindings(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => (globalThis as unknown as { axe: typeof axe }).axe.run());
  return violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join('; ')}`,
  );
}
