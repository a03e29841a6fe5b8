/**
 * `npm run --silent bench:sampler`: what choosing the tokens of one step costs, for 16 rows of a vocabulary of 49,152. Logits
 * are normally distributed, from peaked to flat. Prints the median and the range of 200 steps of each, in milliseconds.
 */
import { Sampler } from '#lib/engine';

const ROWS = 16;
const VOCABULARY = 49_152;
const STEPS = 200;
const WARM_UP_STEPS = 50;
const OFF = { temperature: 1, topP: 1, topK: 0, minP: 0 };
const PARAMETERS = {
  greedy: { ...OFF, temperature: 0 },
  'temperature 0.8, top_p 0.95, top_k 50': { ...OFF, temperature: 0.8, topP: 0.95, topK: 50 },
  'temperature 0.8, top_p 0.95': { ...OFF, temperature: 0.8, topP: 0.95 },
  'temperature 1': OFF,
};

const sampler = new Sampler();
const figures = [];
for (const spread of [4, 2, 1]) {
  const rows = Array.from({ length: ROWS }, () => Float32Array.from({ length: VOCABULARY }, () => spread * normal()));
  for (const [name, parameters] of Object.entries(PARAMETERS)) {
    const times = [];
    for (let step = 0; step < WARM_UP_STEPS + STEPS; step++) {
      const draws = rows.map(() => Math.random());
      const startMs = performance.now();
      for (const [row, logits] of rows.entries()) sampler.sample(logits, parameters, draws[row]);
      if (step >= WARM_UP_STEPS) times.push(performance.now() - startMs);
    }
    times.sort((a, b) => a - b);
    figures.push({ name, spread, medianMs: times[STEPS / 2], leastMs: times[0], mostMs: times.at(-1) });
  }
}
if (process.argv.includes('--json')) console.log(JSON.stringify(figures, null, 2));
else {
  console.log('| parameters | deviation of the logits | median ms | least | most |\n|---|---:|---:|---:|---:|');
  for (const { name, spread, medianMs, leastMs, mostMs } of figures) {
    console.log(`| ${name} | ${spread} | ${[medianMs, leastMs, mostMs].map((ms) => ms.toFixed(1)).join(' | ')} |`);
  }
}

function normal() {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}
