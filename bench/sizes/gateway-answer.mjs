/** One completion of the configured model through the whole platform: prints what came back as JSON. */
import { startPlatform } from '../platform.mjs';

const platform = await startPlatform({});
try {
  const startMs = performance.now();
  const answer = await fetch(`${platform.url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'default', prompt: 'The quick brown fox', max_tokens: 8, temperature: 0 }),
  });
  const { usage, choices, error } = await answer.json();
  if (!answer.ok) throw new Error(`The gateway answered ${answer.status}: ${error?.message}`);
  console.log(
    JSON.stringify({
      readySeconds: platform.readyMs / 1000,
      answerSeconds: (performance.now() - startMs) / 1000,
      usage,
      finishReason: choices[0].finish_reason,
    }),
  );
} finally {
  await platform.stop();
}
