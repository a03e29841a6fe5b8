import type { JsEncoding } from 'tokenizers';

/** Longer ones go alone: no short text waits for them. */
const LONGEST_SHARED_CHARACTERS = 4_096;
const MAX_BATCH_TEXTS = 64;

type Encode = (texts: readonly string[]) => Promise<JsEncoding[]>;

interface WaitingText {
  readonly text: string;
  readonly resolve: (encoding: JsEncoding) => void;
  readonly reject: (cause: unknown) => void;
}

/**
 * Encodes the short texts of one turn of the event loop, and those that come while others are being encoded, together: waking a
 * thread of the pool, and being woken by it, costs more than the 30 tokens of a short prompt.
 */
export class EncodingQueue {
  private waiting: WaitingText[] = [];
  private isBusy = false;

  constructor(private readonly encodeAll: Encode) {}

  encode(text: string): Promise<JsEncoding> {
    if (text.length > LONGEST_SHARED_CHARACTERS) return this.encodeAlone(text);
    return new Promise((resolve, reject) => {
      this.waiting.push({ text, resolve, reject });
      if (this.isBusy) return;
      this.isBusy = true;
      setImmediate(() => void this.work()); // after all that the sockets brought in this turn
    });
  }

  private async encodeAlone(text: string): Promise<JsEncoding> {
    const [encoding] = await this.encodeAll([text]);
    return encoding!; // one for each text
  }

  private async work(): Promise<void> {
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, MAX_BATCH_TEXTS);
      try {
        const encodings = await this.encodeAll(batch.map(({ text }) => text));
        for (const [index, { resolve }] of batch.entries()) resolve(encodings[index]!); // one for each text
      } catch {
        // One that cannot be encoded does not fail those it met here.
        for (const { text, resolve, reject } of batch) this.encodeAlone(text).then(resolve, reject);
      }
    }
    this.isBusy = false;
  }
}
