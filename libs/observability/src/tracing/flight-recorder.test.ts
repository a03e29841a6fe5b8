import { describe, expect, it } from 'vitest';
import { newTraceContext } from '../trace-context.js';
import { FlightRecorder } from './flight-recorder.js';
import type { RequestRecord } from './request-record.js';

const origin = (requestId: string) => ({ trace: newTraceContext(), hasParent: false, requestId, tenantId: 'acme' });

function recorderOf(bytes: number) {
  const kept: RequestRecord[] = [];
  const recorder = new FlightRecorder({ bytes, onKeep: (record) => kept.push(record) });
  return { recorder, kept, begin: (id: string) => recorder.begin(origin(id), 'x', 'server') };
}

describe('FlightRecorder', () => {
  it('given requests that run and that are over, when looked for by any of their ids, then they are found', () => {
    const { recorder, begin } = recorderOf(1e6);
    const record = begin('one');
    record.generationIds.push('generation');
    begin('two').close();
    for (const id of ['one', 'generation', record.traceId]) expect(recorder.find(id), id).toEqual([record]);
    expect(recorder.find('two')).toHaveLength(1);
    expect(recorder.find('three')).toEqual([]);
  });

  it('given more than its memory, when requests end, then the oldest that are over go, and what runs stays', () => {
    const { recorder, begin } = recorderOf(10_000);
    const running = begin('running');
    recorder.name(running, 'lease');
    for (let i = 0; i < 5_000; i++) {
      const record = begin(`request ${i}`);
      recorder.name(record, `lease ${i}`);
      record.close();
    }
    expect(recorder.find('running')).toEqual([running]);
    expect(recorder.find('request 4999')).toHaveLength(1);
    expect(recorder.find('request 0')).toEqual([]);
    expect(recorder.named('lease 0')).toBeUndefined();
    expect(recorder.named('lease')).toBe(running);
    const held = Array.from({ length: 5_000 }, (_, i) => recorder.find(`request ${i}`).length).reduce((a, b) => a + b);
    expect(held).toBeGreaterThan(2);
    expect(held).toBeLessThanOrEqual(12);
    running.close();
    expect(recorder.find('running')).toEqual([running]);
  });

  it('given events with much to say, when requests end, then fewer of them are remembered than of others', () => {
    const heldOf = (attributes: Readonly<Record<string, number>>) => {
      const { recorder, begin } = recorderOf(100_000);
      for (let i = 0; i < 200; i++) {
        const record = begin(`request ${i}`);
        for (let event = 0; event < 16; event++) record.root.event('x', attributes);
        record.close();
      }
      return Array.from({ length: 200 }, (_, i) => recorder.find(`request ${i}`).length).reduce((a, b) => a + b);
    };
    const terms = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`term${index}`, index]));
    expect(heldOf(terms)).toBeGreaterThan(0);
    expect(heldOf(terms)).toBeLessThan(0.5 * heldOf({}));
  });

  it('given no memory, when a request fails, then its trace is kept all the same, and nothing is remembered', () => {
    const { recorder, kept, begin } = recorderOf(0);
    const record = begin('one');
    recorder.name(record, 'lease');
    record.root.fail({ type: 'x', message: '' });
    record.close();
    expect(kept).toEqual([record]);
    expect(recorder.find('one')).toEqual([]);
    expect(recorder.named('lease')).toBeUndefined();
  });

  it('given more spans and events than a record takes, when they come, then they are counted and left out', () => {
    const record = recorderOf(1e6).begin('one');
    for (let i = 0; i < 2_000; i++) record.root.child('x').end();
    for (let i = 0; i < 100; i++) record.root.event('x');
    expect(record.spans).toHaveLength(1_024);
    expect(record.droppedSpans).toBe(2_000 - 1_023);
    expect(record.root.events).toHaveLength(64);
    expect(record.root.droppedEvents).toBe(36);
  });
});
