import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { compileModel } from '#lib/engine-onnx';
import type { ResolvedModel } from '#lib/models';

const SCRIPT = fileURLToPath(new URL('support/compile-process.mjs', import.meta.url));
const folder = fileURLToPath(new URL('data/models/llama', import.meta.url));
const source: ResolvedModel = {
  kind: 'hf-folder',
  folder,
  id: folder,
  origin: 'folder',
  bytes: 0,
  contentKey: 'llama',
};

async function newStore(): Promise<string> {
  const store = await mkdtemp(join(tmpdir(), 'hydra-compiled-'));
  onTestFinished(() => rm(store, { recursive: true }));
  return store;
}

/** Compiles in another process, which kills itself. */
async function killedCompilation(storeFolder: string, killedAfterTensors: number): Promise<void> {
  const argument = JSON.stringify({ source, weights: 'int4', storeFolder, killedAfterTensors });
  const child = spawn(process.execPath, [SCRIPT, argument], { stdio: 'inherit' });
  const [, signal] = await once(child, 'exit');
  expect(signal).toBe('SIGKILL');
}

const filesOf = (path: string) =>
  Object.fromEntries(readdirSync(path).map((name) => [name, readFileSync(join(path, name)).toString('base64')]));
const unfinishedOf = (store: string) => readdirSync(store).filter((name) => name.startsWith('.unfinished-'));

describe('a compilation that is killed', () => {
  it('given kills at any tensors, when started again, then it goes on in the same folder and the result is that of an undisturbed one', async () => {
    const storeFolder = await newStore();
    const folders = new Set<string>();
    const journalLines: number[] = [];
    for (const killedAfterTensors of [1, 2 + Math.floor(Math.random() * 13), 16 + Math.floor(Math.random() * 13)]) {
      await killedCompilation(storeFolder, killedAfterTensors);
      const [unfinished = 'none', ...others] = unfinishedOf(storeFolder);
      expect(others).toEqual([]);
      folders.add(unfinished);
      const journal = readFileSync(join(storeFolder, unfinished, 'weights.journal'), 'utf8');
      journalLines.push(journal.split('\n').length - 1);
    }
    expect(folders.size).toBe(1);
    expect(journalLines).toEqual(journalLines.toSorted((a, b) => a - b));
    expect(journalLines.at(-1)).toBeGreaterThan(0);

    const compiled = await compileModel({ source, weights: 'int4', storeFolder });
    const undisturbed = await compileModel({ source, weights: 'int4', storeFolder: await newStore() });
    expect(filesOf(compiled.folder)).toEqual(filesOf(undisturbed.folder));
    expect(unfinishedOf(storeFolder)).toEqual([]);
  });
});
