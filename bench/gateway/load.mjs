import { fileURLToPath } from 'node:url';
import { AROUND, spawnOn } from './cores.mjs';

const ENTRY = fileURLToPath(new URL('./load-process.mjs', import.meta.url));

/** The load generator in its process. */
export class Load {
  #child = spawnOn(AROUND, process.execPath, [ENTRY], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  #waiting = new Map();
  #nextId = 0;

  constructor() {
    this.#child.on('message', ({ id, result, error }) => {
      const { resolve, reject } = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) resolve(result);
      else reject(new Error(error));
    });
    this.#child.once('exit', (code) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`The load generator ended with code ${code}.`));
    });
  }

  /** @param {string} load  one of those of load-process.mjs */
  run(load, options) {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ id, load, options });
    });
  }

  stop() {
    this.#child.kill('SIGKILL');
  }
}
