#!/usr/bin/env node
/**
 * Makes docs/images/console-*.png from the platform as it runs: the default model, two workers, keys needed, some load.
 *
 *   npm run screenshots        needs a build, and Chromium (HYDRA_TEST_CHROMIUM, else scripts/find-chromium.sh)
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const root = fileURLToPath(new URL('..', import.meta.url));
const cli = join(root, 'dist/apps/cli/src/main.js');
const images = join(root, 'docs/images');
const executablePath =
  process.env.HYDRA_TEST_CHROMIUM ?? execFileSync(join(root, 'scripts/find-chromium.sh'), { encoding: 'utf8' }).trim();
/** Small: a page of documentation is narrow. */
const VIEWPORT = { width: 1120, height: 700 };
/** Time for curves to be seen, in milliseconds. */
const CURVES_MS = 24_000;

const folder = mkdtempSync(join(tmpdir(), 'hydra-screenshots-'));
const env = {
  ...process.env,
  ...{ HYDRA_HTTP_PORT: '0', HYDRA_GRPC_PORT: '0', HYDRA_LOG_FORMAT: 'json', HYDRA_WORKERS: '2' },
  ...{ HYDRA_AUTH: 'required', HYDRA_DATABASE_URL: `sqlite:${join(folder, 'hydra.db')}` },
};
const key = execFileSync(process.execPath, [cli, 'keys', 'bootstrap'], { env, encoding: 'utf8' }).trim();
const platform = spawn(process.execPath, [cli, 'up'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
const url = await addressOf(platform);
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
const load = new AbortController();
const asking = [1, 2, 3].map((number) => keepAsking(number));
try {
  mkdirSync(images, { recursive: true });
  for (const colorScheme of ['light', 'dark']) {
    const page = await browser.newPage({ viewport: VIEWPORT, colorScheme, reducedMotion: 'reduce' });
    await page.addInitScript((text) => sessionStorage.setItem('hydra-api-key', text), key);
    await page.goto(`${url}#/fleet`);
    const shot = (name) => page.screenshot({ path: join(images, `console-${name}-${colorScheme}.png`) });
    await page.waitForTimeout(CURVES_MS);
    await shot('fleet');
    if (colorScheme === 'light') {
      await page.goto(`${url}#/keys`);
      await page.getByRole('row').nth(1).waitFor();
      await shot('keys');
      await page.goto(`${url}#/usage`);
      await page.getByRole('row').nth(1).waitFor();
      await shot('usage');
    }
    await page.goto(`${url}#/playground`);
    await page.getByLabel('Temperature').fill('0');
    await page.getByLabel('Max tokens').fill('160');
    for (const [index, text] of ['What is the capital of France?', 'List three things to see there.'].entries()) {
      await page.getByLabel('Message').fill(text);
      await page.keyboard.press('Enter');
      await page.locator('article[data-state=done]').nth(index).waitFor({ timeout: 120_000 });
    }
    await shot('playground');
    await page.close();
  }
} finally {
  load.abort();
  await Promise.all(asking);
  await browser.close();
  platform.kill('SIGINT');
  await new Promise((resolve) => platform.once('exit', resolve));
  rmSync(folder, { recursive: true });
}

/** @returns where the console is, once the platform is ready */
async function addressOf(child) {
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.includes('"HydraServe is ready"')) continue;
    child.stdout.resume();
    return JSON.parse(line).console;
  }
  throw new Error('the platform ended');
}

/** Questions one after another, whose beginning is the same. */
async function keepAsking(number) {
  const system = 'You answer in one short sentence, whatever you are asked, and never say more than that.';
  for (let round = 0; !load.signal.aborted; round++) {
    const messages = [
      { role: 'system', content: system },
      { role: 'user', content: `Question ${round} of ${number}: what is next?` },
    ];
    const body = { model: 'default', max_tokens: 20 + 10 * number, stream: true, messages };
    const response = await fetch(new URL('/v1/chat/completions', url), {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    await response.text();
  }
}
