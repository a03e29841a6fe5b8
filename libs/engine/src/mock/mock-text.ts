/** Words of the mock's answers. Plain ones, so that a stream can be read while one debugs. */
const WORDS =
  'the light of a quiet river moves through green leaves and gives water warm air to every small plant that grows near old stone walls while slow clouds carry rain over wide fields toward the morning sea where birds turn in wind and children count waves until evening comes'.split(
    ' ',
  );
/** An answer ends by itself after this many tokens: `SHORTEST` to `SHORTEST + SPREAD - 1`. */
const SHORTEST = 256;
const SPREAD = 256;
const SENTENCE_WORDS = 9;

/** The mock's answer to one prompt: bytes of readable text, a function of the prompt's ids alone. */
export class MockText {
  /** Token after which the answer is over. */
  readonly endsAfter: number;
  private bytes: number[] = [];
  private words = 0;
  private readonly seed: number;

  constructor(promptTokenIds: Iterable<number>) {
    let hash = 0x811c9dc5;
    for (const tokenId of promptTokenIds) hash = mixed(hash ^ tokenId);
    this.seed = hash;
    this.endsAfter = SHORTEST + (hash % SPREAD);
  }

  /** @param index  0 for the first token after the prompt */
  byteAt(index: number): number {
    while (this.bytes.length <= index) this.addWord();
    return this.bytes[index]!;
  }

  private addWord(): void {
    const place = this.words % SENTENCE_WORDS;
    const word = WORDS[mixed(this.seed + this.words) % WORDS.length]!;
    this.words++;
    const spelt = place === 0 ? word[0]!.toUpperCase() + word.slice(1) : word;
    this.bytes.push(...Buffer.from(` ${spelt}${place === SENTENCE_WORDS - 1 ? '.' : ''}`));
  }
}

/** Spreads the bits of a 32-bit word. @returns unsigned @see Steele and Vigna, murmur3's finalizer */
function mixed(word: number): number {
  let mix = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  mix = Math.imul(mix ^ (mix >>> 13), 0xc2b2ae35);
  return (mix ^ (mix >>> 16)) >>> 0;
}
