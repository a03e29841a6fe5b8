import { connect } from 'node:net';

export interface RawExchange {
  /** Status of the first answer; undefined when there was none. */
  readonly status: number | undefined;
  /** All that came back. */
  readonly text: string;
  /** `error.code` and `error.param` of the first error body. */
  readonly code: string | undefined;
  readonly param: string | null | undefined;
  /** From the last byte sent to the end of the connection, in milliseconds. */
  readonly closedAfterMs: number;
}

/** Bytes of `POST path` with the body's length and no wish to keep the connection. */
export function postBytes(path: string, body: string | Buffer, headers: Readonly<Record<string, string>> = {}): Buffer {
  const bytes = Buffer.from(body);
  const fields = {
    host: 'test',
    connection: 'close',
    'content-type': 'application/json',
    'content-length': String(bytes.length),
    ...headers,
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n`), bytes]);
}

/** Sends bytes as they are, says nothing more, and resolves when the server has closed the connection. */
export function rawExchange(url: string, bytes: string | Buffer): Promise<RawExchange> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let sentAtMs = performance.now();
    const socket = connect(Number(port), hostname);
    socket.on('connect', () => socket.write(bytes, () => (sentAtMs = performance.now())));
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', () => {}); // the reset of a server that does not want the rest
    socket.on('close', () => {
      const text = Buffer.concat(chunks).toString();
      resolve({
        status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]) || undefined,
        text,
        code: /"code":"(\w+)"/.exec(text)?.[1],
        param: paramOf(text),
        closedAfterMs: performance.now() - sentAtMs,
      });
    });
  });
}

function paramOf(text: string): string | null | undefined {
  const match = /"param":(null|"([^"]*)")/.exec(text);
  return match === null ? undefined : (match[2] ?? null);
}
