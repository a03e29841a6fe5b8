/**
 * What of each request gets into the old generation of the gateway's V8, and where it was made: after a flood of 20 s, in 10 s of 16 requests at a time.
 * node bench/gateway/survivors.mjs [--plain] [FOLDER]
 *   --plain: whole answers instead of streams; FOLDER: one in which `npm run build` ran, default this one
 */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { PROCESS_SETTINGS } from '#lib/config';
import { AT_ONCE, loadSettings } from './load-cases.mjs';
import { withPlatform } from './with-platform.mjs';

const PROBE = fileURLToPath(new URL('./survivors-probe.mjs', import.meta.url));
const PLACES = 30;

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
process.setMaxListeners(0); // one for each child that is to end with this process

const { values, positionals } = parseArgs({ allowPositionals: true, options: { plain: { type: 'boolean' } } });
const entry = resolve(positionals[0] ?? '.', 'dist/apps/gateway/src/main.js');
const gateways = [{ entry, flags: [...PROCESS_SETTINGS.gateway.flags, '--expose-gc', '--import', PROBE] }];
await withPlatform({ mocks: [AT_ONCE, AT_ONCE], gateways }, async ({ ports, headers, gateways: [gateway] }, load) => {
  const loop = (concurrency, measureMs) =>
    load.run('closedLoop', {
      ...loadSettings({ concurrency, stream: !values.plain }),
      ...{ ports, headers, path: '/v1/completions', pids: [], warmUpMs: 0, measureMs },
    });
  await loop(64, 20_000);
  await gateway.ask('survivors-begin');
  const { requests } = await loop(16, 10_000);
  const { places } = await gateway.ask('survivors-end');
  const sum = Object.values(places).reduce((total, bytes) => total + bytes, 0);
  console.log(`${(sum / requests).toFixed(0)} bytes of each of ${requests} requests, of those`);
  const largest = Object.entries(places).sort(([, a], [, b]) => b - a);
  for (const [place, bytes] of largest.slice(0, PLACES)) {
    console.log(`${(bytes / requests).toFixed(0).padStart(6)}  ${place}`);
  }
});
process.exit(0);
