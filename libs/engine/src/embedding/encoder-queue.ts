/** One input that waits, and whom it belongs to. */
export interface WaitingInput<Owner> {
  readonly owner: Owner;
  /** Its place among the owner's inputs. */
  readonly index: number;
  readonly tokenIds: readonly number[];
}

/** An owner's inputs that wait, ascending by length, and the run of them that is chosen for a batch: [from, to). */
interface Line<Owner> {
  readonly inputs: WaitingInput<Owner>[];
  from: number;
  to: number;
}

/**
 * Most positions of a batch that only fill shorter inputs up to the longest. A pass costs as much as about 16 tokens more than
 * the tokens in it, so with fewer it is worth a pass of its own, with more it is not (measured 2026-11-25, MiniLM on 2 AVX2
 * cores: 1.6 ms and 0.117 ms per token; bench/embeddings.mjs --passes).
 */
const MAX_FILL_TOKENS = 16;

/**
 * Inputs that wait, taken out as batches of nearly equal lengths. Owners take turns: the longest input of the one whose turn
 * it is begins the batch, and those of all owners that are nearest in length join it. So a request of one input waits for
 * one batch per request before it at most, however many inputs those have.
 */
export class EncoderQueue<Owner> {
  /** In the order of their turns. */
  private readonly lines = new Map<Owner, Line<Owner>>();
  private waitingTokens = 0;

  /** Tokens of all that waits. */
  get tokens(): number {
    return this.waitingTokens;
  }

  /** Once per owner. */
  add(owner: Owner, inputs: readonly (readonly number[])[]): void {
    const added = inputs.map((tokenIds, index) => ({ owner, index, tokenIds }));
    added.sort((a, b) => a.tokenIds.length - b.tokenIds.length);
    this.lines.set(owner, { inputs: added, from: 0, to: 0 });
    this.waitingTokens += tokensOf(added);
  }

  remove(owner: Owner): void {
    this.waitingTokens -= tokensOf(this.lines.get(owner)?.inputs ?? []);
    this.lines.delete(owner);
  }

  /**
   * @param batchTokens  most tokens of a batch, those that fill up included; an input of more makes a batch of its own
   * @returns the next batch, empty when nothing waits
   */
  take(batchTokens: number): WaitingInput<Owner>[] {
    const [turn] = this.lines.values();
    if (turn === undefined) return [];
    const first = lengthAt(turn, turn.inputs.length - 1);
    for (const line of this.lines.values()) line.from = line.to = countUpTo(line.inputs, first);
    turn.from--;
    grow([...this.lines.values()], first, batchTokens);

    const batch: WaitingInput<Owner>[] = [];
    for (const [owner, line] of [...this.lines]) {
      const taken = line.inputs.splice(line.from, line.to - line.from);
      batch.push(...taken);
      if (line === turn) this.lines.delete(owner); // to the end, when something is left
      if (line.inputs.length > 0) this.lines.set(owner, line);
      else this.lines.delete(owner);
    }
    this.waitingTokens -= tokensOf(batch);
    return batch;
  }
}

/** Extends the lines' runs, which hold one input of length `longest`, by the one that costs least, until it is full. */
function grow<Owner>(lines: readonly Line<Owner>[], longest: number, batchTokens: number): void {
  let rows = 1;
  let fill = 0;
  for (;;) {
    let best: { line: Line<Owner>; isLonger: boolean } | undefined;
    let leastCost = MAX_FILL_TOKENS - fill + 1;
    for (const line of lines) {
      if (line.from > 0 && (rows + 1) * longest <= batchTokens) {
        const cost = longest - lengthAt(line, line.from - 1);
        if (cost < leastCost) [best, leastCost] = [{ line, isLonger: false }, cost];
      }
      if (line.to < line.inputs.length) {
        const length = lengthAt(line, line.to);
        const cost = rows * (length - longest);
        const isRoom = (rows + 1) * length <= batchTokens;
        if (cost < leastCost && isRoom) [best, leastCost] = [{ line, isLonger: true }, cost];
      }
    }
    if (best === undefined) return;
    const { line, isLonger } = best;
    if (isLonger) longest = lengthAt(line, line.to++);
    else line.from--;
    fill += leastCost;
    rows++;
  }
}

/** How many of the inputs, ascending by length, have at most this length. */
function countUpTo(inputs: readonly WaitingInput<unknown>[], length: number): number {
  let low = 0;
  let high = inputs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (inputs[middle]!.tokenIds.length <= length) low = middle + 1;
    else high = middle;
  }
  return low;
}

function lengthAt({ inputs }: Line<unknown>, index: number): number {
  return inputs[index]!.tokenIds.length;
}

function tokensOf(inputs: readonly WaitingInput<unknown>[]): number {
  return inputs.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
}
