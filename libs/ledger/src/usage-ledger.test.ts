import { openDatabase } from '#lib/database';
import { describeUsageLedger } from './usage-ledger.conformance.js';

describeUsageLedger('SQLite', () => openDatabase('sqlite::memory:'));
