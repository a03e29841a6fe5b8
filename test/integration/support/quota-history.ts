import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { SCRIPTS } from '../../../libs/limits-redis/src/redis-scripts.js';

/** A command as Redis carried it out; those of a script follow it. */
interface Carried {
  readonly args: readonly string[];
  readonly isOfScript: boolean;
}

/** By SHA, and by text as MONITOR writes it: a connection sends the text the first time. */
const NAMES = new Map(
  Object.entries(SCRIPTS).flatMap(([name, { lua }]) => [
    [createHash('sha1').update(lua).digest('hex'), name],
    [lua.replaceAll('\n', '\\n'), name],
  ]),
);

/** Records all that Redis does from now on, in its order. */
export async function recordHistory(redis: Redis): Promise<{ readonly history: readonly Carried[]; stop(): void }> {
  const monitor = await redis.monitor();
  const history: Carried[] = [];
  monitor.on('monitor', (_time: string, args: string[], source: string) => {
    history.push({ args, isOfScript: source === 'lua' });
  });
  return { history, stop: () => monitor.disconnect() };
}

export interface CheckedHistory {
  readonly violations: readonly string[];
  readonly settledTokens: number;
  /** Of reservations that nobody settled. */
  readonly liveTokens: number;
  readonly grants: number;
  readonly refusals: number;
  /** Reservations of gateways that died. */
  readonly charged: number;
}

/**
 * Replays what the scripts did for one tenant with one quota of tokens, with sums of its own: at every moment settled + reserved must
 * be within the quota; what was refused must not have fitted; what was granted must be as much as fitted.
 */
export function checkHistory(history: readonly Carried[], tenantId: string, quota: number): CheckedHistory {
  const violations: string[] = [];
  const live = new Map<string, { readonly prompt: number; readonly covered: number }>();
  let settledTokens = 0;
  let [grants, refusals, charged] = [0, 0, 0];
  const liveTokens = () => [...live.values()].reduce((sum, { prompt, covered }) => sum + prompt + covered, 0);
  for (let at = 0; at < history.length; at++) {
    const { args, isOfScript } = history[at] as Carried;
    const name = isOfScript || !/^eval(sha)?$/i.test(args[0] ?? '') ? undefined : NAMES.get(args[1] ?? '');
    if (name === undefined || !args.some((arg) => arg.includes(`{${tenantId}}`))) continue;
    const values = args.slice(3 + Number(args[2]));
    const id = values[0] ?? '';
    let granted: { readonly p: number; readonly c: number } | undefined;
    let before = live.get(id);
    for (let next = at + 1; history[next]?.isOfScript; next++) {
      const [command, key = '', field = '', ...rest] = history[next]?.args ?? [];
      if (command === 'XADD') {
        const told = [field, ...rest];
        const of = (word: string) => told[told.indexOf(word) + 1] ?? '';
        settledTokens += Number(of('prompt')) + Number(of('completion'));
        if (of('outcome') === 'gateway-lost') charged++;
        if (!live.delete(of('id'))) violations.push(`${of('id')} was settled and not reserved`);
        if (of('id') === id) before = undefined;
      } else if (command === 'HSET' && key.endsWith(':live')) {
        const json = (rest[0] ?? '').replaceAll('\\\\', '\\'); // as MONITOR writes backslashes
        granted = JSON.parse(json) as { p: number; c: number };
      }
    }
    const left = quota - settledTokens - liveTokens();
    if (name === 'hydraBegin') {
      const [prompt, least, wanted] = [Number(values[3]), Number(values[5]), Number(values[6])];
      if (granted === undefined && isAskedAgain(history, at, id, values)) continue;
      if (granted === undefined) {
        refusals++;
        if (prompt + least <= left) violations.push(`${id} was refused ${prompt} + ${least} tokens with ${left} left`);
      } else {
        grants++;
        const expected = Math.min(wanted, left - prompt);
        if (granted.c !== expected) violations.push(`${id} got ${granted.c} tokens instead of ${expected}`);
        live.set(id, { prompt, covered: granted.c });
      }
    } else if (name === 'hydraExtend' && before !== undefined) {
      const [least, most] = [Number(values[1]), Number(values[2])];
      if (granted !== undefined) {
        grants++;
        const expected = before.covered + Math.max(0, Math.min(most - before.covered, left));
        if (granted.c !== expected) violations.push(`${id} was extended to ${granted.c} instead of ${expected}`);
        live.set(id, { prompt: before.prompt, covered: granted.c });
      } else if (before.covered < most) {
        refusals++;
        const needed = Math.max(0, least - before.covered);
        if (needed <= left) violations.push(`${id} was refused ${needed} more tokens with ${left} left`);
      }
    }
    const total = settledTokens + liveTokens();
    if (total > quota) violations.push(`${total} tokens are settled or reserved of ${quota}`);
  }
  return { violations, settledTokens, liveTokens: liveTokens(), grants, refusals, charged };
}

/** Place of the value that lets the script ask for what its subjects have used, instead of deciding; the caller then begins anew without. */
const ASKS_BACK = 12;

function isAskedAgain(history: readonly Carried[], at: number, id: string, values: readonly string[]): boolean {
  if (values[ASKS_BACK] !== '1') return false;
  return history.slice(at + 1).some(({ args, isOfScript }) => {
    if (isOfScript || NAMES.get(args[1] ?? '') !== 'hydraBegin') return false;
    const later = args.slice(3 + Number(args[2]));
    return later[0] === id && later[ASKS_BACK] === '0';
  });
}
