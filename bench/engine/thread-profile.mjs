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

  /** @param {{withProfile?: boolean}} options  sampling costs time itself */
  async begin(options) {
    await this.#call({ kind: 'begin', ...options });
  }

  /** @returns {Promise<{share: number} & Partial<ReturnType<typeof selfTimes>>>} `share`: busy by the event loop's own count */
  async end() {
    const { activeMs, wallMs, profile } = await this.#call({ kind: 'end' });
    return { share: activeMs / wallMs, ...(profile && selfTimes(profile)) };
  }

  async #call(message) {
    const answer = once(this.#channel, 'message');
    this.#channel.postMessage(message);
    return (await answer)[0].data;
  }
}
