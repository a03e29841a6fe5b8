import { describe, expect, it } from 'vitest';
import { PeriodicReports } from './periodic-reports.js';

describe('reports at intervals', () => {
  it('come once from each worker in each interval, with what changed since its last', () => {
    const reports = new PeriodicReports(1, 2);
    expect(reports.nextS).toBe(0.5);
    expect([...reports.dueUntil(0.4)]).toEqual([]);
    reports.note(0, { kind: 'stored', blockId: 7 });
    reports.note(1, { kind: 'stored', blockId: 8 });
    reports.note(0, { kind: 'removed', blockId: 7 });
    expect([...reports.dueUntil(1.6)]).toEqual([
      {
        workerIndex: 0,
        sequence: 1,
        changes: [
          { kind: 'stored', blockId: 7 },
          { kind: 'removed', blockId: 7 },
        ],
      },
      { workerIndex: 1, sequence: 1, changes: [{ kind: 'stored', blockId: 8 }] },
      { workerIndex: 0, sequence: 2, changes: [] },
    ]);
  });
});
