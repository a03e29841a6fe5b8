import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** One folder for all temporary files of a run of the tests, and of the processes that they start: removed at its end. */
export default function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'hydra-tests-'));
  process.env['TMPDIR'] = folder; // `tmpdir()` of Node, `mktemp` and Python, in every process from here on
  return () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
