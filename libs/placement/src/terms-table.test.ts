import { describe, expect, it } from 'vitest';
import { ExplainedWorker } from './explanation.js';
import type { CandidateTerms } from './placement-strategy.js';
import { TermColumns, type TermsTable } from './terms-table.js';

const COLUMNS = { waitMs: 0, costMs: 1 };

/** Of workers w0, w1 and so on: they wait so many milliseconds, at ten times the cost. */
function table(workerCount: number): TermsTable<keyof typeof COLUMNS> {
  const ids = Array.from({ length: workerCount }, (_, row) => `w${row}`);
  const made = new TermColumns(COLUMNS).table(ids);
  for (let row = 0; row < workerCount; row++) {
    made.set(row, COLUMNS.waitMs, row);
    made.set(row, COLUMNS.costMs, 10 * row);
  }
  return made;
}

describe('TermsTable', () => {
  it('has the terms of each worker by name, and none of others', () => {
    const terms = table(3);
    expect(terms.get('w2')).toEqual({ waitMs: 2, costMs: 20 });
    expect(terms.get('w0')).toEqual({ waitMs: 0, costMs: 0 });
    expect(terms.get('w3')).toBeUndefined();
    expect(terms.at(1, COLUMNS.costMs)).toBe(10);
  });

  it('given some workers, then a copy has theirs alone', () => {
    const all = table(5);
    const some = all.only(['w3', 'gone', 'w1']);
    all.set(3, COLUMNS.waitMs, 99);
    expect(some.get('w3')).toEqual({ waitMs: 3, costMs: 30 });
    expect(some.get('w1')).toEqual({ waitMs: 1, costMs: 10 });
    expect(['w0', 'w2', 'w4', 'gone'].map((workerId) => some.get(workerId))).toEqual(Array(4).fill(undefined));
  });
});

describe('copies of explained workers', () => {
  const byWorker = new Map(['w0', 'w1', 'w2'].map((workerId, row) => [workerId, { waitMs: row, costMs: 10 * row }]));
  const sources: [string, () => CandidateTerms & { clear(): void }][] = [
    [
      'a table',
      () => {
        const terms = table(3);
        const clear = () => {
          for (let row = 0; row < 3; row++) terms.set(row, COLUMNS.costMs, Number.NaN);
        };
        return Object.assign(terms, { clear });
      },
    ],
    ['a map', () => new Map(byWorker)],
  ];

  it.each(sources)('given terms in %s, then they do not need it any more', (_, create) => {
    const all = create();
    const left = new ExplainedWorker('w9', 'draining', new Map());
    const copies = ExplainedWorker.copiesOf([left, new ExplainedWorker('w2', '', all)]);
    all.clear();
    expect(copies.map(({ workerId, filteredBy, terms }) => ({ workerId, filteredBy, terms }))).toEqual([
      { workerId: 'w9', filteredBy: 'draining', terms: {} },
      { workerId: 'w2', filteredBy: '', terms: { waitMs: 2, costMs: 20 } },
    ]);
    expect(ExplainedWorker.copiesOf([left])[0]).toMatchObject({ workerId: 'w9', filteredBy: 'draining', terms: {} });
  });
});
