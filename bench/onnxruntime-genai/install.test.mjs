import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { GenaiUnavailableError, installGenai, wrapGraph } from './install.mjs';

let folder;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'genai-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

it('given a machine without Python, then it says so in a sentence and leaves nothing that looks installed', () => {
  vi.stubEnv('PATH', folder);
  expect(() => installGenai(folder)).toThrow(GenaiUnavailableError);
  expect(() => installGenai(folder)).toThrow(
    'onnxruntime-genai is not measured: python3 could not make a virtual environment',
  );
  expect(existsSync(join(folder, 'venv', 'installed.txt'))).toBe(false);
});

it('given a graph that is not there, then it says so in a sentence', () => {
  expect(() => wrapGraph(process.execPath, folder, join(folder, 'out'))).toThrow(
    'our graph could not be given its inputs',
  );
});
