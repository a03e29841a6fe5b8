/**
 * `npm run --silent bench:numerics`: how far `numerics: fast` is from the promise of `exact`. Runs random schedules of the
 * exactness suites on SmolLM2 in int8 and int4, compares each sequence with itself alone, and prints a table for
 * docs/numerics.md; `--json` prints the figures. Figures depend on the processor's kernels, not on its speed.
 */
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';

const conditions = ['hydra-source', 'node'];
const { module } = await runnerImport(fileURLToPath(new URL('divergence.ts', import.meta.url)), {
  resolve: { conditions },
  ssr: { resolve: { conditions } },
});
const rows = [];
for (const weights of ['int8', 'int4']) {
  rows.push(...(await module.divergenceOf('smollm2-135m-instruct', weights, Number(process.env.SCHEDULES ?? 6))));
}
if (process.argv.includes('--json')) console.log(JSON.stringify(rows, null, 2));
else print(rows);

function print(table) {
  console.log('| weights | choice | sequences | that differ | tokens in all | mean tokens until they do |');
  console.log('|---|---|---:|---:|---:|---:|');
  for (const { weights, choice, sequences, different, tokens, tokensUntil } of table) {
    const share = `${different} (${((100 * different) / sequences).toFixed(0)} %)`;
    const until = different === 0 ? '–' : (tokensUntil / different).toFixed(1);
    console.log(`| ${weights} | ${choice} | ${sequences} | ${share} | ${tokens} | ${until} |`);
  }
}
