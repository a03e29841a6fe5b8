import { describe, expect, it } from 'vitest';
import type { Logger } from '#lib/observability';
import { StrategyFaultLog } from './strategy-fault-log.js';

function logged() {
  const lines: object[] = [];
  const log = new StrategyFaultLog({ error: (fields: object) => lines.push(fields) } as unknown as Logger);
  const report = (strategy: string, cause: unknown) => log.report({ strategy, modelId: 'm', cause });
  return { lines, report };
}

describe('StrategyFaultLog', () => {
  it('writes one line for each kind of fault', () => {
    const { lines, report } = logged();
    for (let index = 0; index < 3; index++) report('mine', new TypeError('x is undefined'));
    report('mine', new Error('x is undefined'));
    report('other', 'a text');
    expect(lines).toMatchObject([
      { strategy: 'mine', error: { name: 'TypeError' } },
      { strategy: 'mine', error: { name: 'Error' } },
      { strategy: 'other', error: { message: 'a text' } },
    ]);
  });

  it('given messages that all differ, then it stops after 64', () => {
    const { lines, report } = logged();
    for (let index = 0; index < 1_000; index++) report('mine', new Error(`request ${index} is odd`));
    expect(lines).toHaveLength(64);
  });
});
