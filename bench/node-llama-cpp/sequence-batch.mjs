import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const GREEDY = { temperature: 0, yieldEogToken: true };
/** Looks at the queue before a batch goes without a sequence that does not come. */
const MOST_LOOKS = 64;

/**
 * One context whose sequences are evaluated concurrently, so that its queue merges them into one batch per step. By itself
 * the queue starts the next batch when all but one sequence have come back from the last (7 of 8 rows, measured with
 * version 3.22); its prioritization is used to wait for that one.
 */
export class SequenceBatch {
  #expected = 0;
  #looks = 0;
  #batches = 0;
  #items = 0;

  static async create(model, options) {
    const batch = new SequenceBatch();
    const batching = { itemPrioritizationStrategy: (queue) => batch.#choose(queue) };
    batch.context = await model.createContext({ ...options, batching });
    batch.sequences = Array.from({ length: options.sequences }, () => batch.context.getSequence());
    return batch;
  }

  /** How many sequences will come in each batch from now on. */
  expect(sequences) {
    this.#expected = sequences;
    this.#batches = 0;
    this.#items = 0;
  }

  /** Mean since `expect`. */
  get rowsPerBatch() {
    return this.#items / this.#batches;
  }

  dispose() {
    return this.context.dispose();
  }

  /** The shortest first: tokens of running streams before a prompt, which gets what is left. */
  #choose({ items, size }) {
    if (items.length < this.#expected && this.#looks++ < MOST_LOOKS) return [];
    this.#looks = 0;
    let left = size;
    const chosen = [];
    for (const item of items.toSorted((a, b) => a.tokens.length - b.tokens.length)) {
      const processAmount = Math.min(left, item.tokens.length);
      if (processAmount === 0) break;
      left -= processAmount;
      chosen.push({ item, processAmount });
    }
    this.#batches++;
    this.#items += chosen.length;
    return chosen;
  }
}

/** Generates up to `tokens` tokens. @returns their arrivals, in milliseconds */
export async function generate(sequence, input, tokens, isOver = () => false) {
  const arrivals = [];
  for await (const _ of sequence.evaluate(input, GREEDY)) {
    arrivals.push(performance.now());
    if (arrivals.length === tokens || isOver()) break;
  }
  return arrivals;
}

/** Computes a prompt once and gives its KV to all sequences. */
export async function fill(sequences, promptTokens) {
  const [first, ...others] = sequences;
  await first.evaluateWithoutGeneratingNewTokens(promptTokens);
  if (others.length === 0) return;
  const file = join(tmpdir(), `hydra-bench-${process.pid}`);
  try {
    await first.saveStateToFile(file);
    for (const sequence of others) await sequence.loadStateFromFile(file, { acceptRisk: true });
  } finally {
    rmSync(file, { force: true });
  }
}
