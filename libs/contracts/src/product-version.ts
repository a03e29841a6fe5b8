import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { protoFolder } from './packages.js';

/** HydraServe's version: that of the package.json beside `proto`. */
export function productVersion(): string {
  const manifest = readFileSync(join(dirname(protoFolder()), 'package.json'), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
