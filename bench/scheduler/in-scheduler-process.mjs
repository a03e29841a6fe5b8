import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { PROCESS_SETTINGS } from '#lib/config';

const { flags, env } = PROCESS_SETTINGS.scheduler;

/** What a process is forked with that runs as `hydra up` has schedulers run. */
export const AS_SCHEDULER = { execArgv: [...process.execArgv, ...flags], env: { ...env, ...process.env } };

/**
 * Measures in a process that runs as a scheduler does.
 * @param {string} file  beside this one
 * @param {string} name  of a function that it exports
 * @param {object} argument
 * @returns {Promise<object>} what the function returned
 */
export async function inSchedulerProcess(file, name, argument) {
  const child = fork(fileURLToPath(import.meta.url), [file, name, JSON.stringify(argument)], AS_SCHEDULER);
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`${file} ended with code ${code}`);
  });
  const [result] = await Promise.race([once(child, 'message'), ended]);
  return result;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [file, name, argument] = process.argv.slice(2);
  const measured = await import(`./${file}`);
  process.send(await measured[name](JSON.parse(argument)), () => process.disconnect());
}
