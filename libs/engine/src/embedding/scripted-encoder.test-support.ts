import { type EncoderLimits, EncoderRunner } from './encoder-runner.js';

/** An input that begins with it has numbers that overflow. */
export const OVERFLOWING_TOKEN = 13;

/** A pass that a test ends as it likes. */
export interface HeldPass {
  readonly inputs: readonly (readonly number[])[];
  finish(): void;
  fail(error: Error): void;
}

/**
 * An encoder without a model: a vector is the input's length, sum, first and last token. It runs at once, or, while `holds`
 * is set, when a test lets it. As the port wants, it takes one pass at a time, of at most `batchTokens`.
 */
export class ScriptedEncoder extends EncoderRunner {
  readonly limits: EncoderLimits = { contextTokens: 32, vocabularySize: 100, dimensions: 4, batchTokens: 64 };
  readonly passes: (readonly (readonly number[])[])[] = [];
  holds = false;
  closes = 0;
  private held: HeldPass | undefined;
  private passBegan = Promise.withResolvers<HeldPass>();

  static vectorOf(input: readonly number[]): number[] {
    if (input[0] === OVERFLOWING_TOKEN) return [Number.NaN, 0, 0, 0];
    return [input.length, input.reduce((sum, id) => sum + id, 0), input[0]!, input.at(-1)!];
  }

  override async encode(inputs: readonly (readonly number[])[]): Promise<Float32Array> {
    if (this.held !== undefined) throw new Error('two passes at once');
    const longest = Math.max(...inputs.map(({ length }) => length));
    if (inputs.length * longest > this.limits.batchTokens) throw new Error('a pass above the budget');
    this.passes.push(inputs);
    if (this.holds) await this.hold(inputs);
    return Float32Array.from(inputs.flatMap(ScriptedEncoder.vectorOf));
  }

  /** Resolves with the pass that is held now, or the next one. */
  heldPass(): Promise<HeldPass> {
    return this.held === undefined ? this.passBegan.promise : Promise.resolve(this.held);
  }

  /** As ONNX Runtime does: a pass that runs is ended early. */
  override async close(): Promise<void> {
    this.closes++;
    this.held?.fail(new Error('the pass was ended'));
  }

  private hold(inputs: readonly (readonly number[])[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        this.held = undefined;
        settle();
      };
      this.held = { inputs, finish: () => end(resolve), fail: (error) => end(() => reject(error)) };
      this.passBegan.resolve(this.held);
      this.passBegan = Promise.withResolvers();
    });
  }
}
