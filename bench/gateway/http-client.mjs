import { connect } from 'node:net';

const HEAD_END = '\r\n\r\n';
const LAST_CHUNK = '0\r\n\r\n';
const DATA = '\ndata:';
/** Characters of what came before that are looked at again: what is looked for may be cut anywhere. */
const TAIL = 5;
/** Of a stream that came to its end: what failed on the way has an event instead. */
const DONE = 'data: [DONE]';
/** Characters of its end that have it, with what frames it. */
const ENDING = 32;

/** The bytes of a request, made once. */
export function requestBytes({ path, headers = {}, body }) {
  const lines = [`POST ${path} HTTP/1.1`, 'host: bench', 'content-type: application/json'];
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  return Buffer.from(`${lines.join('\r\n')}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}

/**
 * A keep-alive connection that looks at no more of an answer than its status, its end and how many events it has: a client that
 * parses would cost more than the server it measures.
 */
export class HttpClient {
  #socket;
  #answer;
  #onEvents;

  /** @param {(count: number) => void} onEvents  called for each read with the events of which it had the beginning */
  constructor(port, onEvents = () => {}) {
    this.#onEvents = onEvents;
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.connected = new Promise((resolve) => this.#socket.once('connect', resolve));
    this.#socket.on('data', (data) => this.#receive(data));
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('close', () => this.#fail(new Error('The server closed the connection.')));
  }

  /** Sends a request. @returns {Promise<{status: number, events: number, isWhole: boolean, ttftMs: number}>} when its answer is complete; `isWhole`: a stream that did not fail */
  send(bytes) {
    return new Promise((resolve, reject) => {
      this.#answer = {
        resolve,
        reject,
        sentMs: performance.now(),
        head: '',
        ending: '',
        status: 0,
        events: 0,
        left: Infinity,
      };
      this.#socket.write(bytes);
    });
  }

  pause() {
    this.#socket.pause();
  }

  close() {
    this.#answer = undefined;
    this.#socket.destroy();
  }

  #receive(data) {
    const answer = this.#answer;
    if (answer === undefined) return;
    const body = answer.status === 0 ? this.#readHead(answer, data) : data;
    if (body === undefined) return;
    if (answer.left !== Infinity) answer.left -= body.length;
    else this.#countEvents(answer, body);
    if (answer.left <= 0) this.#end(answer);
  }

  #readHead(answer, data) {
    answer.head += data.toString('latin1');
    const end = answer.head.indexOf(HEAD_END);
    if (end === -1) return undefined;
    const head = answer.head.slice(0, end);
    answer.status = Number(head.slice(9, 12));
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    if (length !== undefined) answer.left = Number(length);
    return Buffer.from(answer.head.slice(end + HEAD_END.length), 'latin1');
  }

  /** Each event has one line of data, which may come in two reads; comments, which keep a stream alive, have none. */
  #countEvents(answer, body) {
    const tail = answer.ending.slice(-TAIL);
    let count = `${tail}${body.toString('latin1', 0, TAIL)}`.includes(DATA) ? 1 : 0; // too short for one that is not cut
    for (let at = body.indexOf(DATA); at !== -1; at = body.indexOf(DATA, at + DATA.length)) count++;
    answer.ending = `${answer.ending}${body.toString('latin1', Math.max(0, body.length - ENDING))}`.slice(-ENDING);
    if (count > 0) {
      answer.ttftMs ??= performance.now() - answer.sentMs;
      answer.events += count;
      this.#onEvents(count);
    }
    if (answer.ending.endsWith(LAST_CHUNK)) answer.left = 0;
  }

  #end({ resolve, status, events, ending, ttftMs, sentMs }) {
    this.#answer = undefined;
    // `data: [DONE]` is no event with a token.
    const isWhole = ending.includes(DONE);
    resolve({ status, events: Math.max(0, events - 1), isWhole, ttftMs: ttftMs ?? performance.now() - sentMs });
  }

  #fail(error) {
    this.#answer?.reject(error);
    this.#answer = undefined;
  }
}
