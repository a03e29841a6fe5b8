import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect } from 'node:tls';
import { type ChannelCredentials, credentials, Server, type ServerWritableStream } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import { register } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CertificateFolder, certificateFiles, SERVICES, type TlsFiles, TlsIdentity } from '#lib/certificates';
import {
  FleetClient,
  FleetService,
  FleetSnapshot,
  internalPackage,
  PlacementClient,
  PlacementService,
  PlaceRequest,
  type WatchRequest,
} from '#lib/contracts';
import { createLogger } from '#lib/observability';
import { mayCall } from './allowed-callers.js';
import type { BoundServer } from './bind-server.js';
import { callUnary } from './call-unary.js';
import { clientChannelOptions, serverChannelOptions } from './channel-options.js';
import { type ChannelSecurity, openChannelSecurity } from './channel-security.js';
import { IdentityCredentials } from './identity-credentials.js';
import type { TlsRefusal } from './tls-refusal.js';

const DAY_MS = 86_400_000;
const DOMAIN = 'example.org';
const RELOAD_MS = 20;

let path: string;
let otherPath: string;
let folder: CertificateFolder;
let security: ChannelSecurity;
let server: Server;
let bound: BoundServer;
let watchers: ServerWritableStream<WatchRequest, FleetSnapshot>[];
let ends: (() => void)[];

beforeEach(async () => {
  path = mkdtempSync(join(tmpdir(), 'hydra-channels-'));
  otherPath = mkdtempSync(join(tmpdir(), 'hydra-channels-'));
  folder = new CertificateFolder(path, DOMAIN);
  await folder.ensure(SERVICES);
  await new CertificateFolder(otherPath, DOMAIN).ensure(SERVICES);
  register.clear();
  watchers = [];
  ends = [];
  server = new Server(serverChannelOptions());
  server.addService(PlacementService, {
    place: (_call: unknown, reply: (error: null, response: unknown) => void) => reply(null, { waitedUs: 9 }),
  } as never);
  server.addService(FleetService, {
    watch: (call: ServerWritableStream<WatchRequest, FleetSnapshot>) => {
      watchers.push(call);
      call.write(FleetSnapshot.fromPartial({ schedulerEpoch: watchers.length }));
    },
    join: () => {},
  } as never);
  new HealthImplementation({ '': 'SERVING' }).addToServer(server);
  const certificates = { folder: path, trustDomain: DOMAIN, reloadIntervalMs: RELOAD_MS };
  security = openChannelSecurity({ tls: 'on', certificates }, 'scheduler', createLogger('test', quiet));
  bound = await security.bind(server, '127.0.0.1', 0);
});
afterEach(() => {
  for (const end of ends) end();
  bound.stopListening();
  server.forceShutdown();
  security.onApplicationShutdown();
  for (const each of [path, otherPath]) rmSync(each, { recursive: true, force: true });
});

const quiet = { level: 'fatal', format: 'json' } as const;
const refusedByUs: TlsRefusal[] = [];

/** Credentials of a process that has these files and expects that service; what it refuses comes into `refusedByUs`. */
function credentialsOf(files: TlsFiles, service: 'scheduler' | 'worker' = 'scheduler'): ChannelCredentials {
  refusedByUs.length = 0;
  const identity = new TlsIdentity({ files, reloadIntervalMs: RELOAD_MS });
  ends.push(() => identity.close());
  const onRefused = (reason: TlsRefusal) => refusedByUs.push(reason);
  return new IdentityCredentials({ identity, trustDomain: DOMAIN, service, onRefused });
}

async function place(shown: ChannelCredentials): Promise<number> {
  const client = new PlacementClient(`127.0.0.1:${bound.port}`, shown, clientChannelOptions());
  ends.push(() => client.close());
  const answer = await callUnary(client.place.bind(client), PlaceRequest.fromPartial({}), { timeoutMs: 10_000 });
  return answer.waitedUs;
}

async function refused(): Promise<Record<string, number>> {
  const { values } = (await register.getSingleMetric('hydra_tls_refused_total')?.get()) ?? { values: [] };
  return Object.fromEntries(
    values.filter(({ value }) => value > 0).map(({ labels, value }) => [labels['reason'], value]),
  );
}

/** Resolves when a raw TLS connection is over. */
async function rawConnection(options: ConnectionOptions): Promise<void> {
  const socket = connect({ port: bound.port, host: '127.0.0.1', ALPNProtocols: ['h2'], ...options });
  socket.on('error', () => {}).resume();
  await new Promise((resolve) => socket.once('close', resolve));
}

describe('channels with certificates on both sides', () => {
  it('given the certificate of a service that may call, then it is answered, in TLS 1.3, and nothing is refused', async () => {
    expect(await place(credentialsOf(certificateFiles(path, 'gateway')))).toBe(9);
    expect(await refused()).toEqual({});
  });

  it('given the certificate of another service, then the call is denied and counted', async () => {
    const work = place(credentialsOf(certificateFiles(path, 'worker')));
    await expect(work).rejects.toThrow(/PERMISSION_DENIED.*'worker' may not call .*Placement/);
    expect(await refused()).toEqual({ 'wrong-service': 1 });
  });

  it('given a certificate of another authority, then it is refused and counted', async () => {
    const files = { ...certificateFiles(otherPath, 'gateway'), caFile: join(path, 'ca.crt') };
    await expect(place(credentialsOf(files))).rejects.toThrow('UNAVAILABLE');
    expect(Object.keys(await refused())).toEqual(['unknown-authority']);
  });

  it.each([
    ['expired', -100 * DAY_MS],
    ['not-yet-valid', 10 * DAY_MS],
  ] as const)('given a certificate that is %s, then it is refused and counted', async (reason, offsetMs) => {
    await new CertificateFolder(path, DOMAIN, () => Date.now() + offsetMs).issue('gateway', 'off');
    await expect(place(credentialsOf(certificateFiles(path, 'gateway', 'off')))).rejects.toThrow('UNAVAILABLE');
    expect(Object.keys(await refused())).toEqual([reason]);
  });

  it('given a certificate of the same authority for another trust domain, then it is refused and counted', async () => {
    await new CertificateFolder(path, 'other.org').issue('gateway', 'foreign');
    await expect(place(credentialsOf(certificateFiles(path, 'gateway', 'foreign')))).rejects.toThrow('UNAVAILABLE');
    expect(Object.keys(await refused())).toEqual(['wrong-identity']);
  });

  it('given a client without TLS, then it is refused and counted', async () => {
    await expect(place(credentials.createInsecure())).rejects.toThrow('UNAVAILABLE');
    expect(Object.keys(await refused())).toEqual(['plaintext']);
  });

  it('given a client that knows TLS 1.2 alone, or shows no certificate, then it is refused and counted', async () => {
    const ca = readFileSync(join(path, 'ca.crt'));
    const { certificateFile, keyFile } = certificateFiles(path, 'gateway');
    const own = { cert: readFileSync(certificateFile), key: readFileSync(keyFile) };
    await rawConnection({ ca, ...own, maxVersion: 'TLSv1.2' });
    expect(await refused()).toEqual({ 'protocol-version': 1 });
    await rawConnection({ ca, servername: 'localhost' });
    expect(await refused()).toEqual({ 'protocol-version': 1, 'no-certificate': 1 });
  });

  it('given a server that is another service, or of another authority, then the client refuses it and counts', async () => {
    await expect(place(credentialsOf(certificateFiles(path, 'gateway'), 'worker'))).rejects.toThrow(
      "expected the service 'worker', and its certificate is for the service 'scheduler'",
    );
    expect(new Set(refusedByUs)).toEqual(new Set(['wrong-service']));
    await expect(place(credentialsOf(certificateFiles(otherPath, 'gateway')))).rejects.toThrow('UNAVAILABLE');
    expect(new Set(refusedByUs)).toEqual(new Set(['unknown-authority']));
  });

  it('given services of the platform, then each method of ours names who may call it, and nobody may call any other', () => {
    for (const definition of Object.values(internalPackage)) {
      for (const { path: method } of Object.values(definition as Record<string, { path: string }>)) {
        expect(
          SERVICES.filter((service) => mayCall(service, method)),
          method,
        ).not.toEqual([]);
        expect(mayCall('client', method), method).toBe(method.endsWith('Fleet/Watch'));
      }
    }
    expect(SERVICES.filter((service) => mayCall(service, '/hydra.internal.v1.Other/Do'))).toEqual([]);
  });
});

describe('rotation of certificates', () => {
  it('given a running stream, when authority and certificates change, then it goes on, and new connections use the new ones', async () => {
    const gateway = credentialsOf(certificateFiles(path, 'gateway'));
    const old = readFileSync(join(path, 'ca.crt'));
    const client = new FleetClient(`127.0.0.1:${bound.port}`, gateway, clientChannelOptions());
    ends.push(() => client.close());
    const stream = client.watch({ watcherId: 'a' });
    const seen: number[] = [];
    stream.on('data', ({ schedulerEpoch }: FleetSnapshot) => seen.push(schedulerEpoch));
    const lost = vi.fn();
    stream.on('error', lost);
    await vi.waitFor(() => expect(seen).toEqual([1]), 10_000);

    await folder.rotateAuthority();
    await vi.waitFor(async () => expect(await placeOnceMore()).toBe(9), 10_000); // both authorities are believed
    await folder.renew('all');
    folder.retireAuthorities();
    await vi.waitFor(async () => expect(await isOldAuthorityBelieved(old)).toBe(false), 10_000);

    expect(await placeOnceMore()).toBe(9);
    watchers[0]?.write(FleetSnapshot.fromPartial({ schedulerEpoch: 2 }));
    await vi.waitFor(() => expect(seen).toEqual([1, 2]), 10_000);
    expect(lost).not.toHaveBeenCalled();

    async function placeOnceMore(): Promise<number> {
      const another = new PlacementClient(`127.0.0.1:${bound.port}`, gateway, clientChannelOptions());
      ends.push(() => another.close());
      return (await callUnary(another.place.bind(another), PlaceRequest.fromPartial({}), { timeoutMs: 10_000 }))
        .waitedUs;
    }
  });

  /** Whether who believes the old authority alone believes the server. */
  async function isOldAuthorityBelieved(ca: Buffer): Promise<boolean> {
    const socket = connect({ port: bound.port, host: '127.0.0.1', ca, servername: 'localhost', ALPNProtocols: ['h2'] });
    const believed = new Promise<boolean>((resolve) => {
      socket.once('secureConnect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    return believed.finally(() => socket.destroy());
  }

  it('given certificates, then the metrics say when each file ends', async () => {
    const { values } = (await register.getSingleMetric('hydra_certificate_expiry_timestamp_seconds')?.get()) ?? {
      values: [],
    };
    const files = values.map(({ labels }) => labels['file']);
    expect(files).toEqual([join(path, 'ca.crt'), join(path, 'scheduler.crt')]);
    for (const { value } of values) expect(value).toBeGreaterThan(Date.now() / 1_000 + 80 * 86_400);
  });
});
