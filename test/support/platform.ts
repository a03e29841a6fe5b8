import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../../dist/apps/cli/src/main.js', import.meta.url));
/** A start pulls and compiles the model when it is the first; the time is a bound for a stuck start, not a claim. */
const LONGEST_START_MS = 600_000;

export interface RunningPlatform {
  /** Of `hydra up` itself. */
  readonly pid: number;
  /** `http://127.0.0.1:…`, without `/v1`. */
  readonly url: string;
  readonly grpcTarget: string;
  readonly schedulerTarget: string;
  /** All lines of all apps so far (JSON), each behind the name of its app. */
  readonly lines: readonly string[];
  /** Resolves with the first line, past or future, that matches. */
  line(pattern: RegExp): Promise<string>;
  /** Ctrl-C; @returns the exit code */
  stop(): Promise<number | null>;
}

export interface PlatformOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Contents of `hydra.yaml`. */
  readonly yaml?: string;
  /** Options of `hydra up`. */
  readonly args?: readonly string[];
}

/** Starts `hydra up` from the build, as a user would, on free ports in a folder of its own; resolves when it is ready. */
export async function startPlatform({ env = {}, yaml, args = [] }: PlatformOptions = {}): Promise<RunningPlatform> {
  if (!existsSync(CLI)) throw new Error('no build: run `make build` first');
  const folder = mkdtempSync(join(tmpdir(), 'hydra-test-'));
  const file =
    yaml === undefined ? fileURLToPath(new URL('../../hydra.yaml', import.meta.url)) : join(folder, 'hydra.yaml');
  if (yaml !== undefined) writeFileSync(file, yaml);
  const child = spawn(process.execPath, [CLI, 'up', ...args], {
    env: {
      ...process.env,
      HYDRA_CONFIG: file,
      HYDRA_HTTP_PORT: '0',
      HYDRA_GRPC_PORT: '0',
      HYDRA_LOG_FORMAT: 'json',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = new LineLog(child);
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const broken = ended.then((code): never => {
    throw new Error(`hydra up ended with code ${code}:\n${output.lines.slice(-40).join('\n')}`);
  });
  broken.catch(() => {}); // an end after the start is no failure here
  const start = output.first(/"message":"HydraServe is ready"/);
  const timeout = setTimeout(() => child.kill('SIGKILL'), LONGEST_START_MS);
  const ready = await Promise.race([start, broken]).finally(() => clearTimeout(timeout));
  const { rest, grpc, scheduler } = JSON.parse(ready.slice(ready.indexOf('{'))) as Record<string, string>;

  return {
    pid: child.pid as number,
    url: String(rest).replace(/\/v1$/, ''),
    grpcTarget: String(grpc),
    schedulerTarget: String(scheduler),
    lines: output.lines,
    line: (pattern) => output.first(pattern),
    stop: () => {
      child.kill('SIGINT');
      return ended;
    },
  };
}

/** What has no app is said by `hydra` before it starts them. */
function named(line: string): string {
  const app = line.startsWith('{') ? (JSON.parse(line) as { app: string }).app : undefined;
  return app === undefined ? line : `${app} ${line}`;
}

class LineLog {
  readonly lines: string[] = [];
  private readonly waiting = new Set<{ pattern: RegExp; resolve: (line: string) => void }>();

  constructor(child: ChildProcess) {
    for (const stream of [child.stdout, child.stderr]) {
      let rest = '';
      stream?.setEncoding('utf8').on('data', (text: string) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) this.add(named(line));
      });
    }
  }

  first(pattern: RegExp): Promise<string> {
    const past = this.lines.find((line) => pattern.test(line));
    if (past !== undefined) return Promise.resolve(past);
    return new Promise((resolve) => this.waiting.add({ pattern, resolve }));
  }

  private add(line: string): void {
    this.lines.push(line);
    for (const entry of this.waiting) {
      if (!entry.pattern.test(line)) continue;
      this.waiting.delete(entry);
      entry.resolve(line);
    }
  }
}
