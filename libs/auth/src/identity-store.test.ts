import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '#lib/database';
import { describeIdentityStore } from './identity-store.conformance.js';

describeIdentityStore('SQLite in memory', () => openDatabase('sqlite::memory:'));
describeIdentityStore('SQLite in a file', () =>
  openDatabase(`sqlite:${join(mkdtempSync(join(tmpdir(), 'hydra-identity-')), 'hydra.db')}`),
);
