#!/usr/bin/env node
import process from 'node:process';

/** `node:sqlite` and others came with it. */
const LEAST_NODE = 24;
/** `EX_UNAVAILABLE` of sysexits.h. */
const UNAVAILABLE = 69;

// Looked at before the program is loaded, since an older Node cannot even load it.
if (Number.parseInt(process.versions.node, 10) < LEAST_NODE) {
  process.stderr.write(
    `hydra: this is Node ${process.versions.node}, and ${LEAST_NODE} is needed. The packages brought one: npm run --silent hydra -- COMMAND, or node_modules/.bin/node.\n`,
  );
  process.exit(UNAVAILABLE);
}
// Who reads has seen enough: `hydra status | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});
await import('./program.js');
