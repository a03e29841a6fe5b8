import { type ConfigChange, configChanges, withLiveChanges } from './config-changes.js';
import { ConfigError, ConfigFileMissingError, configFileText, type LoadConfigOptions } from './config-file.js';
import { deepFreeze, loadConfig } from './load-config.js';
import type { HydraConfig } from './schema.js';

/** Time between two looks at the file, in milliseconds. Chosen: an edit counts within a second, and a look reads a few kilobytes. */
const LOOK_INTERVAL_MS = 1_000;

/** What became of a new file. */
export type ReloadOutcome =
  /** Its settings are those that run already, or wait for a start already. */
  | { readonly kind: 'unchanged' }
  /** `applied` count from now on; `pending` with the next start, all of them that there are by now. */
  | { readonly kind: 'applied'; readonly applied: readonly ConfigChange[]; readonly pending: readonly ConfigChange[] }
  /** It is not valid, or cannot be read: what ran goes on. */
  | { readonly kind: 'refused'; readonly problems: readonly string[] };

/**
 * The configuration of a process that goes on while `hydra.yaml` changes. A new file is checked as a whole; then those of its settings
 * count at once whose schema says `reload: live`, and the others with the next start.
 *
 * The file is looked at by its content, not by events of its folder: editors and ConfigMaps of Kubernetes put other files in its place,
 * and network volumes send none.
 */
export class LiveConfig {
  /** What runs. Each section is frozen; another one takes its place when it changes, so read it anew at each use. */
  readonly view: HydraConfig;
  private readonly listeners: (() => void)[] = [];
  private current: HydraConfig;
  private generationNumber = 1;
  private pendingChanges: readonly ConfigChange[] = [];
  private lastText: string | undefined;
  /** Why the file could not be read at the last look. */
  private unreadable: string | undefined;
  /** Whether the file that counts says nothing. */
  private wasBlank: boolean;
  private timer: NodeJS.Timeout | undefined;

  /** @throws ConfigError when the file cannot be read or any value is wrong */
  constructor(private readonly options: LoadConfigOptions = {}) {
    this.lastText = configFileText(options);
    this.wasBlank = isBlank(this.lastText);
    this.current = loadConfig(options);
    const sections = Object.keys(this.current).map((key) => [
      key,
      { enumerable: true, get: () => this.current[key as keyof HydraConfig] },
    ]);
    this.view = Object.freeze(Object.defineProperties({}, Object.fromEntries(sections))) as HydraConfig; // the same keys
  }

  /** Counts the configurations that were applied, from 1. */
  get generation(): number {
    return this.generationNumber;
  }

  /** Settings of the file that count with the next start. */
  get pending(): readonly ConfigChange[] {
    return this.pendingChanges;
  }

  /** Called after settings have changed. */
  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Reads the file now. Whatever is wrong with it is told, never thrown: what runs does not end for the sake of a file. */
  reload(): ReloadOutcome {
    let wanted: HydraConfig;
    try {
      const text = configFileText(this.options);
      this.lastText = text;
      if (isBlank(text) && !this.wasBlank) return { kind: 'refused', problems: [EMPTIED] };
      wanted = loadConfig(this.options);
    } catch (error) {
      return refused(error);
    }
    this.wasBlank = isBlank(this.lastText);
    const applied = configChanges(this.current, wanted).filter(({ reload }) => reload === 'live');
    const next = deepFreeze(withLiveChanges(this.current, wanted));
    const pending = configChanges(next, wanted);
    const isNew = applied.length > 0 || pathsOf(pending) !== pathsOf(this.pendingChanges);
    this.pendingChanges = pending;
    if (!isNew) return { kind: 'unchanged' };
    this.current = next;
    this.generationNumber++;
    const failures = this.listeners.flatMap(failureOf);
    return failures.length > 0 ? { kind: 'refused', problems: failures } : { kind: 'applied', applied, pending };
  }

  /** Reads the file whenever its content has changed, and tells what became of it, until closed. */
  follow(tell: (outcome: ReloadOutcome) => void): void {
    this.timer = setInterval(() => {
      const outcome = this.look();
      if (outcome !== undefined) tell(outcome);
    }, LOOK_INTERVAL_MS);
    this.timer.unref();
  }

  close(): void {
    clearInterval(this.timer);
  }

  /** @returns undefined when nothing is new: a file that is gone for a moment, while another one takes its place, is no change */
  private look(): ReloadOutcome | undefined {
    let text: string | undefined;
    try {
      text = configFileText(this.options);
    } catch (error) {
      if (error instanceof ConfigFileMissingError) return undefined;
      const { message } = error as Error;
      if (message === this.unreadable) return undefined; // told already
      this.unreadable = message;
      return refused(error);
    }
    this.unreadable = undefined;
    return text === undefined || text === this.lastText ? undefined : this.reload();
  }
}

/** A listener that fails keeps nothing from the others. */
function failureOf(listener: () => void): string[] {
  try {
    listener();
    return [];
  } catch (error) {
    return [`the settings have changed, and not all that they are to change: ${error}`];
  }
}

function refused(error: unknown): ReloadOutcome {
  return { kind: 'refused', problems: error instanceof ConfigError ? error.problems : [String(error)] };
}

const EMPTIED =
  'the file has become empty, as when it is being written: what ran goes on; to take every setting back, restart';

/** Nothing but comments, or no file. */
function isBlank(text: string | undefined): boolean {
  return text === undefined || text.split('\n').every((line) => /^\s*(#|$)/.test(line));
}

function pathsOf(changes: readonly ConfigChange[]): string {
  return JSON.stringify(changes.map(({ path, after }) => [path, after]));
}
