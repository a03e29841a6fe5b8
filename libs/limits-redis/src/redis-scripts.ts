import { openRedis, type RedisClient, type RedisScript } from '#lib/redis';
import { BEGIN } from './scripts/begin.js';
import { COUNT_REQUEST } from './scripts/count-request.js';
import { EXTEND } from './scripts/extend.js';
import { RESTORE } from './scripts/restore.js';
import { SETTLE } from './scripts/settle.js';
import { FORGET, TENANTS } from './scripts/tenants.js';
import { TEND } from './scripts/tend.js';

/** The scripts by name, with how many keys each has. */
export const SCRIPTS = {
  hydraBegin: { lua: BEGIN, numberOfKeys: 4 },
  hydraExtend: { lua: EXTEND, numberOfKeys: 4 },
  hydraRestore: { lua: RESTORE, numberOfKeys: 4 },
  hydraSettle: { lua: SETTLE, numberOfKeys: 4 },
  hydraTend: { lua: TEND, numberOfKeys: 4 },
  hydraTenants: { lua: TENANTS, numberOfKeys: 1 },
  hydraForget: { lua: FORGET, numberOfKeys: 1 },
  hydraCountRequest: { lua: COUNT_REQUEST, numberOfKeys: 1 },
} as const;

type Command = (...of: (string | number)[]) => Promise<unknown>;

/** A command that has no answer by then has failed: limits that are slow hold up every request. */
const COMMAND_TIMEOUT_MS = 1_000;

/** A client that has the scripts of limits; see `openRedis`. */
export function connectRedis(url: string, isCluster: boolean): RedisClient {
  return openRedis(url, isCluster, { commandTimeoutMs: COMMAND_TIMEOUT_MS, scripts: SCRIPTS });
}

/** Gives a client further scripts, for `runScript`. */
export function addScripts(client: RedisClient, scripts: Readonly<Record<string, RedisScript>>): void {
  for (const [name, script] of Object.entries(scripts)) client.defineCommand(name, script);
}

/** Runs a script that the client has, by its SHA where Redis knows it. */
export function runScript<Name extends string = keyof typeof SCRIPTS>(
  client: RedisClient,
  name: Name,
  keys: readonly string[],
  values: readonly (string | number)[],
): Promise<unknown> {
  const commands = client as unknown as Record<Name, Command>; // ioredis defines them from `scripts`
  return commands[name](...keys, ...values);
}

/** Keys of a tenant: one hash tag, so one node. */
export function tenantKeys(tenantId: string): string[] {
  return ['live', 'leases', 'counts', 'outbox'].map((name) => `hydra:limits:{${tenantId}}:${name}`);
}

export const TENANTS_KEY = 'hydra:limits:tenants';
