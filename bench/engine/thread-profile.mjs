import { once } from 'node:events';
import { BroadcastChannel } from 'node:worker_threads';
import { selfTimes } from './self-times.mjs';

export const PROFILE_CHANNEL = 'hydra-bench-profile';

/** The process's end of `profiled-thread-entry.mjs`. */
export class ThreadProfile {
  #channel = new BroadcastChannel(PROFILE_CHANNEL);

  constructor() {
    this.#channel.unref();
  }

  /** Sampling costs time itself. */
  async begin() {
    await this.#call({ kind: 'begin' });
  }

  /** @returns {Promise<ReturnType<typeof selfTimes>>} */
  async end() {
    const { profile } = await this.#call({ kind: 'end' });
    return selfTimes(profile);
  }

  async #call(message) {
    const answer = once(this.#channel, 'message');
    this.#channel.postMessage(message);
    return (await answer)[0].data;
  }
}
