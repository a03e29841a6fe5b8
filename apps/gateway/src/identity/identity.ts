import { readFileSync } from 'node:fs';
import {
  AnonymousStrategy,
  ApiKeyStrategy,
  Authenticator,
  CertificateStrategy,
  exposureProblems,
  FailureThrottle,
  IdentityDirectory,
  IdentityStore,
  type JwtIssuer,
  JwtStrategy,
  JwtVerifier,
  KeyUsage,
} from '#lib/auth';
import { ConfigError, type HydraConfig } from '#lib/config';
import { type Database, openDatabase } from '#lib/database';
import type { Logger } from '#lib/observability';
import { tellUnknownTenants, warnOfUnknownTenants } from './unknown-tenants.js';

/** Who may come in: made once at start, closed at the end. */
export abstract class Identity {
  abstract readonly authenticator: Authenticator;
  /** Absent where everybody is let in, like what follows. */
  abstract readonly database: Database | undefined;
  abstract readonly store: IdentityStore | undefined;
  abstract readonly directory: IdentityDirectory | undefined;
  abstract close(): Promise<void>;
}

/**
 * Opens what `auth.mode` asks for.
 * @throws ConfigError when everybody would be let in from other machines; DatabaseUnusableError
 */
export async function openIdentity(config: HydraConfig, logger: Logger): Promise<Identity> {
  const { mode, freeFailures } = config.auth;
  const throttle = new FailureThrottle({ freeFailures });
  if (mode === 'off') {
    const problems = exposureProblems(config.gateway.host, mode);
    if (problems.length > 0) throw new ConfigError(problems);
    const authenticator = new Authenticator([new AnonymousStrategy()], throttle);
    return {
      authenticator,
      database: undefined,
      store: undefined,
      directory: undefined,
      close: async () => authenticator.close(),
    };
  }
  const issuers = config.auth.jwt.map(toIssuer);
  const database = await openDatabase(config.database.url, config.database.connections);
  const store = new IdentityStore(database);
  const { cacheEntries: entries, refreshIntervalMs, outageGraceMs } = config.auth;
  const directory = new IdentityDirectory(store, { entries, refreshIntervalMs, outageGraceMs });
  await directory.sync();
  directory.watch();
  await warnOfUnknownTenants(config.auth.clientCertificates, directory, logger);
  const usage = new KeyUsage(store, (error) => logger.warn({ error }, 'the last use of keys could not be written'));
  const strategies = [
    new ApiKeyStrategy(directory, usage),
    new JwtStrategy(new JwtVerifier(issuers), config.auth.jwt, directory, tellUnknownTenants(logger)),
    new CertificateStrategy(config.auth.clientCertificates, directory),
  ];
  const authenticator = new Authenticator(strategies, throttle);
  return {
    authenticator,
    database,
    store,
    directory,
    close: async () => {
      authenticator.close();
      directory.close();
      await usage.flush();
      await database.destroy();
    },
  };
}

function toIssuer({ jwksUri, jwksFile, ...issuer }: HydraConfig['auth']['jwt'][number]): JwtIssuer {
  if (jwksFile === undefined) return { ...issuer, keys: { kind: 'remote', uri: String(jwksUri) } }; // one of them is there
  try {
    return { ...issuer, keys: { kind: 'static', keySet: JSON.parse(readFileSync(jwksFile, 'utf8')) } };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError([`auth.jwt: jwksFile ${JSON.stringify(jwksFile)} cannot be read: ${reason}`], { cause });
  }
}
