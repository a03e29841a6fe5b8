import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import koffi from 'koffi';
import { afterAll, describe, expect, it } from 'vitest';
import { writeTinyDecoder } from '../testing/tiny-decoder.js';
import { freeAbandoned } from './free-abandoned.js';
import { NativeLedger } from './native-ledger.js';
import { OrtMemory } from './ort-memory.js';
import { OrtRuntime } from './ort-runtime.js';
import { OrtSession } from './ort-session.js';
import { VirtualMemory } from './virtual-memory.js';

const MIB = 1024 * 1024;
const folder = mkdtempSync(join(tmpdir(), 'native-ledger-'));
afterAll(() => rmSync(folder, { recursive: true }));

const residentBytes = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024;

describe('NativeLedger', () => {
  it('given what is entered in a thread, when some of it is removed, then the host takes the rest once', () => {
    const host = new NativeLedger();
    const thread = new NativeLedger(host.page);
    thread.enter('session', 11n);
    const forget = thread.enter('memory', 22n);
    thread.enter('addresses', 33n, 4_096);
    forget();
    expect(host.isEmpty).toBe(false);
    expect(host.take()).toEqual([
      { kind: 'session', address: 11n, byteLength: 0 },
      { kind: 'addresses', address: 33n, byteLength: 4_096 },
    ]);
    expect(host.isEmpty).toBe(true);
    expect(host.take()).toEqual([]);
  });

  it('given more than it holds, when entered, then the rest is left out and nothing is overwritten', () => {
    const ledger = new NativeLedger();
    const forgets = Array.from({ length: 300 }, (_, i) => ledger.enter('memory', BigInt(i + 1)));
    forgets.at(-1)?.();
    expect(ledger.take().map(({ address }) => address)).toEqual(Array.from({ length: 256 }, (_, i) => BigInt(i + 1)));
  });
});

describe('freeAbandoned', () => {
  it('given a session and memory that were closed, when called, then there is nothing to free', async () => {
    const ledger = new NativeLedger();
    const runtime = OrtRuntime.open();
    const { path } = writeTinyDecoder(join(folder, 'closed.onnx'));
    const session = await OrtSession.load(runtime, path, { threads: 1, ledgerPage: ledger.page });
    const memory = OrtMemory.allocate(runtime, session, { kind: 'cpu' }, 1_024);
    expect(ledger.isEmpty).toBe(false);
    await session.close(() => memory.close());
    runtime.close();
    expect(ledger.isEmpty).toBe(true);
    expect(freeAbandoned(ledger)).toBe(true);
  });

  it.runIf(process.platform === 'linux').each(['memory', 'addresses'] as const)(
    'given a session and %s that nobody closes, when called, then they go back to the system',
    async (kind) => {
      const ledger = new NativeLedger();
      const runtime = OrtRuntime.open();
      const { path } = writeTinyDecoder(join(folder, 'abandoned.onnx'));
      const session = await OrtSession.load(runtime, path, { threads: 2, ledgerPage: ledger.page });
      const bytes = 256 * MIB;
      const { address } =
        kind === 'memory'
          ? OrtMemory.allocate(runtime, session, { kind: 'cpu' }, bytes)
          : VirtualMemory.reserve(bytes, ledger);
      new Uint8Array(koffi.view(address, bytes)).fill(1);
      const heldBytes = residentBytes();
      expect(freeAbandoned(ledger)).toBe(true);
      expect(residentBytes()).toBeLessThan(heldBytes - bytes / 2);
      expect(ledger.isEmpty).toBe(true);
      runtime.close();
    },
  );
});
