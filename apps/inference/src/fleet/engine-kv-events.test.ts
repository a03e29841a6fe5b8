import { afterEach, describe, expect, it } from 'vitest';
import { loadConfig } from '#lib/config';
import type { KvEvents } from '#lib/contracts';
import { type MockEngineOptions, mockEngine } from '#lib/engine';
import type { KvEventReader } from '#lib/kv-transfer';
import { createLogger } from '#lib/observability';
import { requestOf } from '../../../../libs/engine/testing/requests.js';
import { EngineHost } from '../engine/engine-host.js';
import { WorkerIdentity } from '../worker-identity.js';
import { engineKvEvents } from './engine-kv-events.js';

const OPTIONS: MockEngineOptions = {
  modelId: 'mock',
  waitingGenerations: 16,
  ttftMs: 0,
  itlMs: 0,
  kvTokens: 1_024,
  slots: 4,
  contextTokens: 512,
  prefixCache: true,
  failEveryRequests: 0,
};

/** A scheduler's end: it follows the numbers, and asks for a snapshot when one is missing. */
class Receiver {
  readonly parents = new Map<string, string>();
  snapshots = 0;
  private nextSequence = 1;

  constructor(private readonly log: KvEventReader) {}

  receive(message: KvEvents): void {
    if (message.snapshot) this.parents.clear();
    else if (message.firstSequence !== this.nextSequence) {
      this.snapshots++;
      for (const part of this.log.snapshot()) this.receive(part);
      return;
    }
    this.nextSequence = message.firstSequence + message.events.length;
    for (const { change } of message.events) {
      if (change?.$case === 'stored') {
        let parent = change.value.parentHash.toString('hex');
        expect(parent === '' || this.parents.has(parent)).toBe(true);
        for (const hash of change.value.blockHashes.map((bytes) => bytes.toString('hex'))) {
          this.parents.set(hash, parent);
          parent = hash;
        }
      } else if (change?.$case === 'removed') {
        for (const hash of change.value.blockHashes) expect(this.parents.delete(hash.toString('hex'))).toBe(true);
      } else this.parents.clear();
    }
    const checksum = Buffer.alloc(16);
    for (const hash of this.parents.keys())
      for (const [at, byte] of Buffer.from(hash, 'hex').entries()) checksum[at]! ^= byte;
    if (message.checksum.length > 0) expect(checksum).toEqual(message.checksum);
  }
}

let host: EngineHost | undefined;
afterEach(() => host?.stop());

/** The mock engine under its host, the log, and a receiver that takes when it is told to. */
async function start(options: Partial<MockEngineOptions> = {}) {
  const config = loadConfig({ env: { HYDRA_ENGINE: 'mock', HYDRA_LOG_LEVEL: 'silent' } });
  const own = new EngineHost(mockEngine({ ...OPTIONS, ...options }), createLogger('inference', config.log));
  host = own;
  let told = 0;
  const eventLog = engineKvEvents(own, WorkerIdentity.of(config));
  const log = eventLog.read(() => told++);
  const held = new Set<string>();
  own.onEvent((event) => {
    if (event.kind === 'engine-lost') held.clear();
    if (event.kind !== 'prefix') return;
    for (const hash of event.change.hashes) {
      if (event.change.kind === 'stored') held.add(hash);
      else held.delete(hash);
    }
  });
  await own.prepare();
  const run = async (promptTokenIds: number[]) => {
    const request = requestOf({ modelId: 'mock', promptTokenIds, stop: { maxTokens: 4 } });
    const ended = new Promise<void>((resolve) => {
      own.onEvent((event) => {
        if ('generationId' in event && event.generationId === request.generationId) resolve();
      });
    });
    expect(own.engine.submit(request).kind).toBe('accepted');
    await ended;
  };
  return { host: own, eventLog, log, held, run, receiver: new Receiver(log), told: () => told };
}

const prompt = (first: number, tokens: number) =>
  Array.from({ length: tokens }, (_, i) => (i < 32 ? i : first + i) % 256);

describe('what an engine holds, told as events', () => {
  it('given blocks that come and go, when all changes are taken, then the receiver has exactly what is held', async () => {
    const { log, held, run, receiver } = await start();
    for (let number = 0; number < 40; number++) {
      await run(prompt(number * 11, 40 + ((number * 37) % 300)));
      if (number % 3 > 0) receiver.receive(log.take());
    }
    receiver.receive(log.take());
    expect(held.size).toBeGreaterThan(10);
    expect(new Set(receiver.parents.keys())).toEqual(held);
    expect(receiver.snapshots).toBe(0);
    expect(log.hasNews).toBe(false);
  });

  it('given a receiver that comes late, when it is told where the count is, then it asks for the whole and goes on from there', async () => {
    const { log, held, run, receiver } = await start();
    await run(prompt(0, 200));
    log.take(); // by another one
    receiver.receive(log.take());
    expect(receiver.snapshots).toBe(1);
    await run(prompt(7, 200));
    receiver.receive(log.take());
    expect(receiver.snapshots).toBe(1);
    expect(new Set(receiver.parents.keys())).toEqual(held);
  });

  it('given two receivers, when one takes everything and one is asked for a snapshot meanwhile, then both have what is held', async () => {
    const { eventLog, log, held, run, receiver } = await start();
    const otherLog = eventLog.read(() => {});
    const other = new Receiver(otherLog);
    for (let number = 0; number < 12; number++) {
      await run(prompt(number * 11, 100));
      receiver.receive(log.take());
      if (number === 5) for (const part of otherLog.snapshot()) other.receive(part);
    }
    other.receive(otherLog.take());
    for (const one of [receiver, other]) expect(new Set(one.parents.keys())).toEqual(held);
    expect([receiver.snapshots, other.snapshots]).toEqual([0, 0]);
  });

  it('given nobody who takes, when changes are more than are held for them, then they are dropped, and a snapshot makes up for it', async () => {
    const { log, held, run, receiver, told } = await start({ contextTokens: 8_192, kvTokens: 200_000 });
    receiver.receive(log.take());
    for (let number = 0; number < 20; number++) await run(prompt(number * 11 + 1, 8_000));
    expect(told()).toBeGreaterThan(20);
    expect(held.size).toBeGreaterThan(8_192);
    expect(log.hasNews).toBe(true);
    receiver.receive(log.take());
    expect(receiver.snapshots).toBe(1);
    expect(new Set(receiver.parents.keys())).toEqual(held);
  });

  it('given an engine that breaks, when it is started again, then everything is cleared and the numbers go on', async () => {
    const { host, log, held, run, receiver } = await start({ crashEveryRequests: 3 });
    await run(prompt(0, 100));
    await run(prompt(1, 100));
    receiver.receive(log.take());
    expect(receiver.parents.size).toBeGreaterThan(0);
    const restarted = new Promise<void>((resolve) => {
      host.onPhase((phase) => {
        if (phase === 'running') resolve();
      });
    });
    await run(prompt(2, 100));
    await restarted;
    receiver.receive(log.take());
    expect(receiver.parents.size).toBe(0);
    await run(prompt(0, 100));
    receiver.receive(log.take());
    expect(new Set(receiver.parents.keys())).toEqual(held);
    expect(receiver.snapshots).toBe(0);
  });
});
