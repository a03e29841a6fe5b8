import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const REQUIREMENTS = fileURLToPath(new URL('./requirements.txt', import.meta.url));
const WRAP = fileURLToPath(new URL('./wrap_graph.py', import.meta.url));

/** Why ONNX Runtime GenAI is not measured, in a sentence. */
export class GenaiUnavailableError extends Error {
  name = 'GenaiUnavailableError';
}

/**
 * Installs the peer once, in the versions of requirements.txt, into a virtual environment of its own.
 * @param {string} folder  where it may lie
 * @returns {string} its Python
 * @throws GenaiUnavailableError
 */
export function installGenai(folder) {
  const environment = join(folder, 'venv');
  const python = join(environment, 'bin', 'python');
  const installed = join(environment, 'installed.txt');
  const wanted = readFileSync(REQUIREMENTS, 'utf8');
  if (existsSync(installed) && readFileSync(installed, 'utf8') === wanted) return python;
  process.stderr.write('Installing onnxruntime-genai ...\n');
  rmSync(environment, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  run('python3', ['-m', 'venv', environment], 'python3 could not make a virtual environment');
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--only-binary', ':all:'];
  run(python, [...pip, '--requirement', REQUIREMENTS], 'pip could not install it');
  writeFileSync(installed, wanted);
  return python;
}

/** A compiled decoder of ours in the layout that GenAI loads. @throws GenaiUnavailableError */
export function wrapGraph(python, compiledFolder, folder) {
  run(python, [WRAP, compiledFolder, folder], 'our graph could not be given its inputs');
  return folder;
}

function run(command, args, complaint) {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 2, 2] });
  if (status === 0) return;
  const why = error === undefined ? 'it says why above' : error.message;
  throw new GenaiUnavailableError(`onnxruntime-genai is not measured: ${complaint} (${why}).`);
}
