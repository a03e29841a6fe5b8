import { readFileSync } from 'node:fs';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { getCACertificates } from 'node:tls';
import { SourceError } from '../errors.js';
import { TransientFailure } from './retry.js';

export interface HttpClientOptions {
  /** HTTP_PROXY, HTTPS_PROXY and NO_PROXY, in capitals or not. */
  readonly proxyEnvironment?: Readonly<Record<string, string | undefined>>;
  /** PEM file of authorities that are trusted besides the usual ones. */
  readonly caFile?: string;
  /** `host` or `host:port` whose certificates are not checked. */
  readonly uncheckedHosts?: readonly string[];
  /** Longest silence of a server, in milliseconds. Default 30,000. */
  readonly stallTimeoutMs?: number;
}

export interface HttpRequest {
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Value of `authorization`; only ever sent to the origin of `url`. */
  readonly authorization?: string;
  readonly signal?: AbortSignal;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** Where the answer came from, after redirects. */
  readonly url: URL;
  /** Headers of the redirects on the way, first hop first. */
  readonly redirectHeaders: readonly IncomingMessage['headers'][];
  /** To be read to its end or destroyed. */
  readonly body: IncomingMessage;
}

/** As many as browsers follow. */
const MAX_REDIRECTS = 20;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** GET over HTTP(S) with redirects. Failures of the network are TransientFailure; statuses are the caller's to judge. */
export class HttpClient implements Disposable {
  private readonly stallTimeoutMs: number;
  private readonly httpAgent: http.Agent;
  private readonly httpsAgent: https.Agent;
  private readonly uncheckedAgent: https.Agent;

  constructor(private readonly options: HttpClientOptions = {}) {
    this.stallTimeoutMs = options.stallTimeoutMs ?? 30_000;
    const common = { keepAlive: true, proxyEnv: { ...options.proxyEnvironment } };
    const ca = options.caFile === undefined ? undefined : [...getCACertificates(), readCaFile(options.caFile)];
    this.httpAgent = new http.Agent(common);
    this.httpsAgent = new https.Agent({ ...common, ca });
    this.uncheckedAgent = new https.Agent({ ...common, rejectUnauthorized: false });
  }

  /** Closes kept connections. */
  [Symbol.dispose](): void {
    for (const agent of [this.httpAgent, this.httpsAgent, this.uncheckedAgent]) agent.destroy();
  }

  /**
   * @throws TransientFailure when there is no answer
   * @throws SourceError when the answer is not HTTP as it should be
   */
  async get(request: HttpRequest): Promise<HttpResponse> {
    const { origin } = request.url;
    const redirectHeaders: IncomingMessage['headers'][] = [];
    let url = request.url;
    while (redirectHeaders.length <= MAX_REDIRECTS) {
      const headers: Record<string, string> = { 'accept-encoding': 'identity', ...request.headers };
      // A token belongs to the host it was given for: content servers behind redirects never see it.
      if (request.authorization !== undefined && url.origin === origin)
        headers['authorization'] = request.authorization;
      const body = await this.send(url, headers, request.signal);
      const status = body.statusCode ?? 0;
      const location = body.headers.location;
      if (!REDIRECTS.has(status) || location === undefined) {
        return { status, headers: body.headers, url, redirectHeaders, body };
      }
      body.destroy();
      redirectHeaders.push(body.headers);
      const next = URL.parse(location, url.href);
      if (next === null || (next.protocol !== 'http:' && next.protocol !== 'https:')) {
        throw new SourceError('malformed', `${safeUrl(url)} redirects to ${JSON.stringify(location)}.`);
      }
      url = next;
    }
    throw new SourceError('malformed', `${safeUrl(request.url)} redirects more than ${MAX_REDIRECTS} times.`);
  }

  private send(url: URL, headers: Record<string, string>, signal: AbortSignal | undefined): Promise<IncomingMessage> {
    const isTls = url.protocol === 'https:';
    const agent = isTls ? (this.isUnchecked(url) ? this.uncheckedAgent : this.httpsAgent) : this.httpAgent;
    return new Promise((resolve, reject) => {
      const options = { headers, agent, signal, timeout: this.stallTimeoutMs };
      const request = isTls ? https.get(url, options) : http.get(url, options);
      let body: IncomingMessage | undefined;
      request.once('response', (response) => {
        body = response;
        resolve(response);
      });
      request.once('timeout', () => {
        const seconds = Math.ceil(this.stallTimeoutMs / 1000);
        const failure = new TransientFailure(`${url.host} sent nothing for ${seconds} seconds`);
        // The reader of the body gets this reason instead of a reset connection.
        body?.destroy(failure);
        request.destroy(failure);
      });
      request.on('error', (error) => reject(signal?.aborted ? signal.reason : toConnectFailure(error, url)));
    });
  }

  private isUnchecked(url: URL): boolean {
    return this.options.uncheckedHosts?.some((host) => host === url.host || host === url.hostname) ?? false;
  }
}

/** A URL for messages: no credentials, no signed query. */
export function safeUrl(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

const NO_NETWORK: Readonly<Record<string, string>> = {
  ENOTFOUND: 'its name cannot be resolved (is there a network?)',
  EAI_AGAIN: 'its name cannot be resolved now (is there a network?)',
  ECONNREFUSED: 'the connection was refused',
  ENETUNREACH: 'there is no network',
  EHOSTUNREACH: 'there is no way to it',
  ETIMEDOUT: 'the connection timed out',
};
const CUT = new Set(['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE', 'UND_ERR_SOCKET', 'HPE_INVALID_EOF_STATE']);

/** Until there is an answer, every error is the network's. */
function toConnectFailure(error: Error, url: URL): unknown {
  const known = toTransientFailure(error, url);
  if (known !== error) return known;
  return new TransientFailure(`${url.host} cannot be reached: ${error.message}`, { cause: error });
}

/** Puts an error of a socket into a sentence. Errors of other origin, such as a full disk, are given back as they were. */
export function toTransientFailure(error: unknown, url: URL): unknown {
  if (error instanceof TransientFailure) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === undefined) return error;
  if (CUT.has(code)) return new TransientFailure(`${url.host} closed the connection too early`, { cause: error });
  const reason = NO_NETWORK[code];
  if (reason !== undefined) {
    return new TransientFailure(`${url.host} cannot be reached: ${reason}`, { cause: error, isNoNetwork: true });
  }
  if (/CERT|SSL|TLS|SELF_SIGNED|ISSUER|SIGNATURE/.test(code)) {
    const hint = 'NODE_EXTRA_CA_CERTS adds a certificate authority';
    return new SourceError('unreachable', `The certificate of ${url.host} is not accepted (${message}); ${hint}.`, {
      cause: error,
    });
  }
  return error;
}

function readCaFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new SourceError('unreachable', `The certificate file ${path} cannot be read.`, { cause });
  }
}
