import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { streamCompletion, textOf } from '../../dist/apps/cli/src/client/openai-stream.js';
import { quantile } from '../engine/statistics.mjs';
import { startPlatform } from '../platform.mjs';

const CHATS = 8;
const TURNS = 4;
/** Chats that go on at once: more than workers, so that turns of one find the worker of their prefix busy now and then. */
const AT_ONCE = 3;
const ANSWER_TOKENS = 24;
const SYSTEM = `You answer questions of gardeners. ${'Be brief, exact and friendly, and name the season when it matters. '.repeat(6)}`;
const QUESTIONS = [
  'When should I sow carrots, and how deep?',
  'My tomatoes have yellow leaves. What could that be, and what do I do about it now?',
  'And how often should I water them in a hot week in July, in pots of ten litres?',
  'Which of all that matters most? Say it in one sentence.',
];

/** Chats of several turns with two workers of the embedded engine under one strategy: what is found in prefix stores, and TTFT. */
export async function measureChats(strategy) {
  const folder = mkdtempSync(join(tmpdir(), 'hydra-bench-'));
  const file = join(folder, 'hydra.yaml');
  writeFileSync(
    file,
    `models: [{ id: smollm2-135m-instruct, strategy: ${strategy} }]\naliases: { default: default }\n`,
  );
  const platform = await startPlatform({ HYDRA_CONFIG: file, HYDRA_WORKERS: '2', HYDRA_THREADS: '1' });
  const turns = [];
  try {
    let next = 0;
    const lane = async () => {
      while (next < CHATS) await chat(platform.url, next++, turns);
    };
    await turn(platform.url, [{ role: 'user', content: 'Hello.' }]); // the first one warms up
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
  } finally {
    await platform.stop();
    rmSync(folder, { recursive: true });
  }
  const sum = (read) => turns.reduce((total, one) => total + read(one), 0);
  const later = turns.filter(({ isFirst }) => !isFirst).map(({ ttftMs }) => ttftMs);
  const all = turns.map(({ ttftMs }) => ttftMs);
  return {
    strategy,
    turns: turns.length,
    hitRatio: sum(({ cachedTokens }) => cachedTokens) / sum(({ promptTokens }) => promptTokens),
    ttftMs: { mean: sum(({ ttftMs }) => ttftMs) / turns.length, p50: quantile(all, 0.5), p90: quantile(all, 0.9) },
    laterTurnsTtftMs: { p50: quantile(later, 0.5), p90: quantile(later, 0.9) },
  };
}

async function chat(url, number, turns) {
  const messages = [{ role: 'system', content: `${SYSTEM} Garden number ${number}.` }];
  for (const [index, content] of QUESTIONS.slice(0, TURNS).entries()) {
    messages.push({ role: 'user', content });
    const answer = await turn(url, messages);
    messages.push({ role: 'assistant', content: answer.text });
    turns.push({ ...answer, isFirst: index === 0 });
  }
}

async function turn(url, messages) {
  const startMs = performance.now();
  const body = { model: 'default', messages, max_tokens: ANSWER_TOKENS, temperature: 0, ignore_eos: true };
  let ttftMs;
  let text = '';
  let usage;
  for await (const chunk of streamCompletion(`${url}/v1/chat/completions`, body)) {
    const added = textOf(chunk);
    if (added !== '') ttftMs ??= performance.now() - startMs;
    text += added;
    usage = chunk.usage ?? usage;
  }
  const cachedTokens = usage.prompt_tokens_details?.cached_tokens ?? 0;
  return { ttftMs, text, promptTokens: usage.prompt_tokens, cachedTokens };
}
