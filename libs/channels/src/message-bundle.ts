/**
 * This many stay below `MAX_MESSAGE_BYTES`: a question for a place with all the hashes it may have takes 64 KB, an answer with as many
 * blocks to fetch 72 KB. Its explanation takes 0.4 KB for each worker of the model: if all are explained, they fit up to a thousand workers.
 */
const MOST_TOGETHER = 64;

/** Gathers what can leave as one message: on a stream of gRPC a message costs more than what is in it. */
export class MessageBundle<Part> {
  private parts: Part[] = [];

  /**
   * @param afterwards  calls back when all has come that comes together
   * @param write       sends them, in their order
   */
  constructor(
    private readonly afterwards: (flush: () => void) => unknown,
    private readonly write: (first: Part, further: readonly Part[]) => void,
  ) {}

  /** It waits for what comes together with it. */
  add(part: Part): void {
    this.parts.push(part);
    if (this.parts.length === MOST_TOGETHER) this.flush();
    else if (this.parts.length === 1) this.afterwards(() => this.flush());
  }

  /** It leaves at once, and what waits with it. */
  send(part: Part): void {
    this.parts.push(part);
    this.flush();
  }

  /** Sends what there is now. */
  flush(): void {
    const [first, ...further] = this.parts;
    this.parts = [];
    if (first !== undefined) this.write(first, further);
  }

  /** Forgets what has not left. */
  clear(): void {
    this.parts = [];
  }
}
