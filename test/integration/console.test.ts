import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { metricsOf } from '../support/app-metrics.js';
import { eventually } from '../support/eventually.js';
import { hydra } from '../support/hydra.js';
import { type RunningPlatform, startPlatform } from '../support/platform.js';
import { accessibilityFindings, openBrowser, openPage, type WatchedPage } from './support/watched-page.js';

/** Slow enough to be stopped in the middle. */
const MOCK = { HYDRA_ENGINE: 'mock', HYDRA_MOCK_TTFT_MS: '5', HYDRA_MOCK_ITL_MS: '5' };
const LLAMA = fileURLToPath(new URL('../data/models/llama', import.meta.url));

let browser: Browser;
let platform: RunningPlatform;
let watched: WatchedPage;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser?.close());

/** Whatever a test does, the page talks to its own gateway alone, and the browser has nothing to complain of. */
afterEach(async () => {
  await watched.page.context().close();
  expect(watched.complaints).toEqual([]);
  expect(watched.requests.filter((address) => new URL(address).origin !== platform.url)).toEqual([]);
});

const open = async (options?: BrowserContextOptions, expected?: RegExp): Promise<Page> => {
  watched = await openPage(browser, platform.url, options, expected);
  await watched.page.getByText('1 model ready').waitFor();
  return watched.page;
};
/** The test model in a folder of its own, able to chat: what it says makes no sense either way. */
function withChatTemplate(model: string): string {
  const folder = join(mkdtempSync(join(tmpdir(), 'hydra-console-')), 'tiny');
  cpSync(model, folder, { recursive: true });
  const file = join(folder, 'tokenizer_config.json');
  const config = JSON.parse(readFileSync(file, 'utf8'));
  const chat_template = '{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant: ';
  writeFileSync(file, JSON.stringify({ ...config, chat_template }));
  return folder;
}

/** Short questions one after another. */
async function keepAsking(signal: AbortSignal): Promise<void> {
  const body = { model: 'default', messages: [{ role: 'user', content: 'Hello' }], max_tokens: 60, stream: true };
  while (!signal.aborted) {
    const response = await fetch(`${platform.url}/v1/chat/completions`, {
      ...{ method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) },
    });
    await response.text();
  }
}

const answers = (page: Page, state: string) => page.locator(`article[data-state=${state}]`);

describe('on two workers with the mock engine', () => {
  beforeAll(async () => {
    platform = await startPlatform({ env: { ...MOCK, HYDRA_WORKERS: '2' } });
  });
  afterAll(() => platform?.stop());

  describe('the playground', () => {
    it('given a keyboard alone, when asked, then the answer streams, with its figures; another question goes on', async () => {
      const page = await open();
      await page.getByLabel('Max tokens').fill('40');
      await page.getByLabel('Message').focus();
      await page.keyboard.type('Hello there');
      await page.keyboard.press('Shift+Enter');
      await page.keyboard.type('and again');
      await page.keyboard.press('Enter');
      await answers(page, 'streaming').waitFor();
      await answers(page, 'done').waitFor();
      const figures = await page.locator('.figures').textContent();
      expect(figures).toMatch(/TTFT[\d.]+ m?s/);
      expect(figures).toMatch(/tokens\/s[\d.]+/);
      expect(figures).toMatch(/answer40(?!\d)/);
      expect(await page.getByLabel('You').textContent()).toBe('Hello there\nand again');
      await page.keyboard.type('More');
      await page.keyboard.press('Enter');
      await answers(page, 'done').nth(1).waitFor();
    });

    it('when Escape is pressed, then the engine is told to stop, what came stays, and it can be asked again', async () => {
      const page = await open();
      const gateway = metricsOf(platform, 'gateway');
      const before = await gateway('hydra_gateway_aborted_clients_total', { phase: 'streaming' });
      await page.getByLabel('Message').fill('Without end');
      await page.keyboard.press('Enter');
      await answers(page, 'streaming').locator('.figures').waitFor();
      await page.keyboard.press('Escape');
      await answers(page, 'stopped').waitFor();
      expect(await answers(page, 'stopped').locator('.markdown').textContent()).not.toBe('');
      await eventually(
        async () =>
          (await gateway('hydra_gateway_aborted_clients_total', { phase: 'streaming' })) > before || undefined,
      );
      await page.getByLabel('Max tokens').fill('5');
      await page.getByRole('button', { name: 'Retry' }).click();
      await answers(page, 'done').waitFor();
      expect(await page.locator('article').count()).toBe(2);
    });

    it('given a request that is refused, then the error is shown with its code, its parameter and its request id', async () => {
      const page = await open({}, /status of 400/); // browsers complain of every one
      await page.getByLabel('Max tokens').fill('999999');
      await page.getByLabel('Message').fill('Too much');
      await page.keyboard.press('Enter');
      const alert = page.getByRole('alert');
      await alert.waitFor();
      expect(await alert.textContent()).toMatch(/HTTP 400.*request \w+/);
      await page.getByRole('button', { name: 'Try again' }).waitFor();
    });

    it('given a wrong number, then its field says what it takes, and nothing is sent', async () => {
      const page = await open();
      await page.getByLabel('Temperature').fill('3');
      await page.getByText('Expected a number from 0 to 2.').waitFor();
      await page.getByLabel('Message').fill('x');
      await page.keyboard.press('Enter');
      expect(await page.getByRole('button', { name: 'Send' }).isDisabled()).toBe(true);
      expect(watched.requests.some((address) => address.endsWith('/chat/completions'))).toBe(false);
    });

    it('given single keys, then ? shows them, and they can be switched off', async () => {
      const page = await open();
      await page.locator('main').focus();
      await page.keyboard.press('?');
      const dialog = page.getByRole('dialog', { name: 'Keyboard' });
      await dialog.waitFor();
      await dialog.getByLabel('Shortcuts of single keys').uncheck();
      await page.keyboard.press('Escape');
      await dialog.waitFor({ state: 'detached' });
      await page.locator('main').focus();
      await page.keyboard.press('t');
      expect(await page.locator('html').getAttribute('data-theme')).toBe('system');
    });

    it('given the theme is switched, then the page is light or dark whatever the device says, and stays so', async () => {
      const page = await open({ colorScheme: 'dark' });
      const ground = () => page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
      const dark = await ground();
      await page.locator('main').focus();
      await page.keyboard.press('t');
      await vi.waitFor(async () => expect(await ground()).not.toBe(dark), 10_000);
      const light = await ground();
      await page.reload();
      await page.getByText('1 model ready').waitFor();
      expect(await ground()).toBe(light);
    });

    it.each(['light', 'dark'] as const)(
      'given the %s page, wide or narrow, then axe finds nothing',
      async (colorScheme) => {
        const page = await open({ colorScheme, reducedMotion: 'reduce' });
        expect(await accessibilityFindings(page)).toEqual([]);
        await page.getByLabel('Max tokens').fill('5');
        await page.getByLabel('Message').fill('Hi');
        await page.keyboard.press('Enter');
        await answers(page, 'done').waitFor();
        expect(await accessibilityFindings(page)).toEqual([]);
        await page.getByRole('button', { name: 'Keyboard shortcuts' }).click();
        expect(await accessibilityFindings(page)).toEqual([]);
        await page.keyboard.press('Escape');
        await page.setViewportSize({ width: 360, height: 640 });
        await page.getByRole('button', { name: /^Settings/ }).click();
        expect(await accessibilityFindings(page)).toEqual([]);
        const overflow = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
        expect(overflow).toBeLessThanOrEqual(0);
      },
    );
  });

  describe('the fleet', () => {
    it.each(['light', 'dark'] as const)(
      'given load and a %s page, then its numbers move and its curves are drawn',
      async (colorScheme) => {
        const page = await open({ colorScheme, reducedMotion: 'reduce' });
        const load = new AbortController();
        const asking = keepAsking(load.signal);
        await page.locator('main').focus();
        await page.keyboard.press('g');
        await page.keyboard.press('f');
        const workers = page.getByRole('region', { name: 'Workers' });
        await workers.getByRole('rowheader', { name: 'worker-0' }).waitFor();
        await workers.getByRole('rowheader', { name: 'worker-1' }).waitFor();
        const tile = (name: string) => page.locator('.tiles > div', { hasText: name }).locator('dd');
        await eventually(async () => Number(await tile('In flight').textContent()) > 0 || undefined);
        await eventually(async () => Number(await tile('Tokens/s').textContent()) > 0 || undefined);
        await page.getByRole('img', { name: /^Time to first token: p50 [\d.]+ m?s/ }).waitFor();
        expect(await accessibilityFindings(page)).toEqual([]);
        load.abort();
        await asking;
        await eventually(async () => (await tile('In flight').textContent()) === '0' || undefined);
      },
    );

    it('given a page that is not looked at, then it asks for nothing', async () => {
      const page = await open();
      await page.clock.install();
      await page.goto(`${platform.url}/?#/fleet`);
      const looks = () => watched.requests.filter((address) => address.endsWith('/v1/fleet')).length;
      const isHidden = (value: boolean) =>
        page.evaluate(`
        Object.defineProperty(document, 'hidden', { value: ${value}, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
      `);
      await page.getByRole('region', { name: 'Workers' }).waitFor();
      await page.clock.fastForward(2_500);
      await eventually(() => looks() >= 2 || undefined);
      await isHidden(true);
      await page.clock.fastForward(2_500); // for one that was under way
      const before = looks();
      for (let i = 0; i < 5; i++) await page.clock.fastForward(60_000);
      expect(looks()).toBe(before);
      await isHidden(false);
      await eventually(() => looks() > before || undefined);
    });
  });
});

describe('keys and usage, where keys are needed', () => {
  let operator: string;
  beforeAll(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hydra-console-'));
    const env = { ...MOCK, HYDRA_AUTH: 'required', HYDRA_DATABASE_URL: `sqlite:${join(folder, 'hydra.db')}` };
    operator = (await hydra(['keys', 'bootstrap'], env)).stdout.trim();
    platform = await startPlatform({ env });
  });
  afterAll(() => platform?.stop());

  const enterKey = async (page: Page, key: string) => {
    await page.getByRole('button', { name: /API key|Key set/ }).click();
    await page.getByLabel('Key or token').fill(key);
    await page.keyboard.press('Enter');
  };
  const openLocked = async () => {
    watched = await openPage(browser, platform.url, { reducedMotion: 'reduce' }, /status of 401/);
    await watched.page.getByRole('heading', { name: 'This gateway needs a key' }).waitFor();
    return watched.page;
  };

  it('given no key, then the page asks for one, and a wrong one is told as such', async () => {
    const page = await openLocked();
    expect(await accessibilityFindings(page)).toEqual([]);
    await enterKey(page, 'hydra_wrong');
    await page.getByText('Incorrect API key or token provided.').waitFor();
    await page.getByText('Key not accepted').waitFor();
  });

  it('given a good key, then it opens all pages, stays in this tab alone, and can be forgotten', async () => {
    const page = await openLocked();
    await enterKey(page, operator);
    await page.getByText('1 model ready').waitFor();
    await page.getByRole('link', { name: 'Usage' }).waitFor();
    await page.setViewportSize({ width: 380, height: 700 });
    for (const link of await page.getByLabel('Pages').getByRole('link').all()) {
      const box = await link.boundingBox();
      expect((box?.x ?? 0) + (box?.width ?? Infinity)).toBeLessThanOrEqual(380);
    }
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.reload();
    await page.getByText('1 model ready').waitFor();
    expect(await page.evaluate<string>('JSON.stringify(localStorage) + document.cookie')).not.toContain(operator);
    expect(watched.requests.filter((address) => address.includes(operator))).toEqual([]);
    const other = await page.context().newPage();
    await other.goto(platform.url);
    await other.getByRole('heading', { name: 'This gateway needs a key' }).waitFor();
    await page.getByRole('button', { name: 'Key set' }).click();
    await page.getByRole('button', { name: 'Forget the key' }).click();
    await page.getByRole('heading', { name: 'This gateway needs a key' }).waitFor();
  });

  it('given an operator, then a key is made, shown once, works, and is refused once it is revoked', async () => {
    const page = await openLocked();
    await enterKey(page, operator);
    await page.getByRole('link', { name: 'Keys' }).click();
    await page.getByRole('button', { name: 'New key' }).click();
    await page.getByLabel('Good for').selectOption('30 days');
    expect(await accessibilityFindings(page)).toEqual([]);
    await page.getByRole('button', { name: 'Make the key' }).click();
    const key = (await page.locator('.secret').textContent()) ?? '';
    expect(key).toMatch(/^hydra_/);
    await page.getByRole('button', { name: 'Done' }).click();
    const ask = async () =>
      (await fetch(`${platform.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } })).status;
    expect(await ask()).toBe(200);
    const id = key.slice(6, 18);
    const row = page.getByRole('row').filter({ has: page.getByRole('rowheader', { name: id }) });
    expect(await page.getByText(key).count()).toBe(0);
    expect(await accessibilityFindings(page)).toEqual([]);
    await row.getByRole('button', { name: `Revoke ${id}` }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
    await row.getByText('revoked').waitFor();
    expect(await ask()).toBe(401);
  });

  it('given answers, then usage counts their tokens', async () => {
    const page = await openLocked();
    await enterKey(page, operator);
    await page.getByLabel('Max tokens').fill('7');
    await page.getByLabel('Message').fill('Hello');
    await page.getByRole('button', { name: 'Send' }).click();
    await answers(page, 'done').waitFor();
    await page.getByRole('link', { name: 'Usage' }).click();
    const row = page.getByRole('row', { name: /smollm2-135m-instruct 1 .* 7 / });
    await eventually(async () => {
      await page.getByLabel('By').selectOption('model');
      if (await row.isVisible()) return true;
      await page.getByLabel('By').selectOption('day and model'); // read anew: the ledger takes some seconds
      return undefined;
    });
    expect(await accessibilityFindings(page)).toEqual([]);
  });

  it('given a key that may only ask models, then the pages of others are not offered', async () => {
    const page = await openLocked();
    const response = await fetch(`${platform.url}/v1/admin/tenants/default/accounts`, {
      headers: { authorization: `Bearer ${operator}` },
    });
    const [account] = ((await response.json()) as { data: { name: string }[] }).data;
    const made = await fetch(`${platform.url}/v1/admin/tenants/default/keys`, {
      ...{ method: 'POST', headers: { authorization: `Bearer ${operator}`, 'content-type': 'application/json' } },
      body: JSON.stringify({ account: account?.name, scopes: ['inference'] }),
    });
    await enterKey(page, ((await made.json()) as { key: string }).key);
    await page.getByText('1 model ready').waitFor();
    await page.getByRole('link', { name: 'Fleet' }).waitFor({ state: 'detached' });
    expect(await page.getByRole('navigation').getByRole('link').allTextContents()).toEqual(['Playground']);
  });
});

describe('the playground, on a real model', () => {
  beforeAll(async () => {
    const yaml = JSON.stringify({ models: [{ id: 'tiny', source: withChatTemplate(LLAMA) }] });
    platform = await startPlatform({ env: { HYDRA_THREADS: '1' }, yaml });
  });
  afterAll(() => platform?.stop());

  it('when asked twice, then both answers stream, and the second finds its prefix in the cache', async () => {
    const page = await open();
    await page.getByLabel('Temperature').fill('0');
    await page.getByLabel('Max tokens').fill('24');
    await page
      .getByLabel('System prompt')
      .fill('You are a model of a few thousand weights, and say what comes to you.');
    for (const index of [0, 1]) {
      await page.getByLabel('Message').fill('Go on');
      await page.keyboard.press('Enter');
      await answers(page, 'done').nth(index).waitFor();
    }
    expect(await page.locator('.figures').nth(1).textContent()).toMatch(/[1-9]\d* cached/);
  });
});
