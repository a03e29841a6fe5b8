import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** What a running `hydra up` leaves for `hydra status`, `chat` and `bench`: where its parts are. */
export interface RunState {
  readonly pid: number;
  readonly gatewayUrl: string;
  readonly grpcTarget: string;
  readonly schedulerTarget: string;
  /** Caches of KV blocks that it started, with the address of health and metrics. */
  readonly kvcaches?: readonly { readonly name: string; readonly url: string }[];
  readonly startedAt: string;
}

/** An app's `/metrics`, as Prometheus wants it in `file_sd_configs`. */
export interface ScrapeTarget {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

const fileIn = (storageFolder: string) => join(storageFolder, 'run', 'platform.json');
const targetsFileIn = (storageFolder: string) => join(storageFolder, 'run', 'prometheus-targets.json');

export function writeRunState(storageFolder: string, state: RunState): void {
  const file = fileIn(storageFolder);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(state, null, 2)}\n`);
}

/** Leaves a file for Prometheus, which looks at it whenever it changes. */
export function writeScrapeTargets(storageFolder: string, targets: readonly ScrapeTarget[]): void {
  const file = targetsFileIn(storageFolder);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, `${JSON.stringify(targets, null, 2)}\n`);
  renameSync(`${file}.new`, file); // it never sees half of it
}

/** The running platform of this user; undefined when none runs. */
export function readRunState(storageFolder: string): RunState | undefined {
  try {
    const state = JSON.parse(readFileSync(fileIn(storageFolder), 'utf8')) as RunState;
    process.kill(state.pid, 0); // throws when the process is gone
    return state;
  } catch {
    return undefined;
  }
}

/** Removes the state, unless another platform has written its own since. */
export function removeRunState(storageFolder: string): void {
  if (readRunState(storageFolder)?.pid !== process.pid) return;
  for (const file of [fileIn(storageFolder), targetsFileIn(storageFolder)]) rmSync(file, { force: true });
}
