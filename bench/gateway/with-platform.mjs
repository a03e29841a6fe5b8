import { Load } from './load.mjs';
import { startPlatform } from './platform.mjs';

/** Runs a case on a platform of its own, with a load generator. @param {object} options  those of `startPlatform` */
export async function withPlatform(options, run) {
  const platform = await startPlatform(options);
  const load = new Load();
  try {
    return await run(platform, load);
  } finally {
    load.stop();
    await platform.stop();
  }
}
