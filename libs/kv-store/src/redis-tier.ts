import { Breaker, untilAborted } from '#lib/channels';
import type { RedisClient } from '#lib/redis';
import { BlockTier, type TierBlock, TierUnavailableError } from './block-tier.js';

export interface RedisTierOptions {
  /** A block that nobody used for so long is gone, in milliseconds. */
  readonly ttlMs: number;
  /** Most time for one call of a method, in milliseconds. */
  readonly timeoutMs: number;
  /** Most commands under way at once. */
  readonly mostCommands: number;
  /** Milliseconds on a clock that never goes back. Default: the process's. */
  readonly now?: () => number;
}

const KEY_PREFIX = 'hydra:kv:';

/**
 * Blocks in Redis or Redis Cluster, for all that share it, over restarts of theirs. A value is the encoded block under its key, with
 * a time to live that each use renews; how much memory they may take is Redis's `maxmemory` with an eviction of its own. Each
 * key is a command of its own, all of a call sent at once: in a cluster they lie on different nodes.
 */
export class RedisTier extends BlockTier {
  override readonly name = 'redis';
  private commandsUnderWay = 0;
  private readonly breaker = new Breaker();
  private readonly now: () => number;

  constructor(
    private readonly client: RedisClient,
    private readonly options: RedisTierOptions,
  ) {
    super();
    this.now = options.now ?? (() => performance.now());
  }

  /** Whether it is asked, as far as is known. */
  get isUp(): boolean {
    return !this.breaker.isOpen && this.client.status === 'ready';
  }

  override async has(keys: readonly string[], signal: AbortSignal): Promise<number> {
    const answers = await this.all(keys, signal, (key) => this.client.exists(key));
    return leadingCount(answers, (answer) => answer === 1);
  }

  override async read(keys: readonly string[], signal: AbortSignal): Promise<readonly Buffer[]> {
    const values = await this.all(keys, signal, (key) => this.client.getBuffer(key));
    return values.slice(
      0,
      leadingCount(values, (value) => value !== null),
    ) as Buffer[]; // those before the first null
  }

  override async write(blocks: readonly TierBlock[], signal: AbortSignal): Promise<number> {
    const { ttlMs } = this.options;
    const byKey = new Map(blocks.map((block) => [KEY_PREFIX + block.key, block.bytes]));
    const keys = blocks.map(({ key }) => key);
    await this.all(keys, signal, (key) => this.client.set(key, bufferOf(byKey.get(key)!), 'PX', ttlMs)); // one of them
    return blocks.length;
  }

  override async touch(keys: readonly string[], signal: AbortSignal): Promise<void> {
    await this.all(keys, signal, (key) => this.client.pexpire(key, this.options.ttlMs));
  }

  override async remove(keys: readonly string[], signal: AbortSignal): Promise<void> {
    await this.all(keys, signal, (key) => this.client.unlink(key));
  }

  override async close(): Promise<void> {
    this.client.disconnect();
  }

  /** One command for each key, in as many goes as may be under way. */
  private async all<Answer>(
    keys: readonly string[],
    signal: AbortSignal,
    command: (key: string) => Promise<Answer>,
  ): Promise<Answer[]> {
    signal.throwIfAborted();
    const deadline = AbortSignal.timeout(this.options.timeoutMs);
    const answers: Answer[] = [];
    while (answers.length < keys.length) {
      const room = this.options.mostCommands - this.commandsUnderWay;
      if (room <= 0) throw new TierUnavailableError('busy');
      const next = keys.slice(answers.length, answers.length + room);
      answers.push(...(await this.guarded(next, command, AbortSignal.any([signal, deadline]), signal)));
    }
    return answers;
  }

  private async guarded<Answer>(
    keys: readonly string[],
    command: (key: string) => Promise<Answer>,
    ended: AbortSignal,
    signal: AbortSignal,
  ): Promise<Answer[]> {
    if (!this.breaker.mayCall(this.now())) throw new TierUnavailableError('open');
    try {
      const answers = await untilAborted(this.counted(keys, command), ended);
      this.breaker.succeeded();
      return answers;
    } catch (cause) {
      if (signal.aborted) {
        this.breaker.abandoned();
        throw signal.reason;
      }
      this.breaker.failed(this.now());
      throw new TierUnavailableError(isTimeout(cause, ended) ? 'timeout' : 'away', { cause });
    }
  }

  /** A command counts until it is answered, whether or not somebody waits for it still. */
  private counted<Answer>(keys: readonly string[], command: (key: string) => Promise<Answer>): Promise<Answer[]> {
    this.commandsUnderWay += keys.length;
    const answers = keys.map(async (key) => {
      try {
        return await command(KEY_PREFIX + key);
      } finally {
        this.commandsUnderWay--;
      }
    });
    return Promise.all(answers);
  }
}

function leadingCount<Answer>(answers: readonly Answer[], isHeld: (answer: Answer) => boolean): number {
  const missing = answers.findIndex((answer) => !isHeld(answer));
  return missing < 0 ? answers.length : missing;
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function isTimeout(cause: unknown, ended: AbortSignal): boolean {
  return ended.aborted || (cause instanceof Error && /timed? ?out/i.test(cause.message));
}
