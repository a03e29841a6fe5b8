import { ROW_PASSES } from './generated/row-passes.js';
import { largestLogit } from './largest-logit.js';
import { BEST_WEIGHT, weightAt } from './weight.js';

/** What the compiled passes offer, libs/engine/wasm/row-passes.ts. */
interface RowPasses {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): void };
  idsAt(): number;
  idsCount(): number;
  rowAt(): number;
  largestId(bytes: number): number;
  weigh(bytes: number, largest: number, least: number, scale: number, most: number): number;
}

/** Of the runtime; the types of Node do not have it. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { readonly exports: object };
};

const PAGE_BYTES = 65_536;
/** Logits of a block of the passes. */
const BLOCK = 16;
const LEAST_FLOAT = -3.4028234663852886e38;
/** More than rounding of distances and weights makes of one. */
const SLACK = 1 + 1e-6;
/** With scales beyond, differences of logits under- or overflow as float32. */
const MOST_SCALE = 2 ** 100;

/**
 * How far the sum of weights may be from the true one, relatively: twice what follows, since a bound that is wide by half costs little.
 *
 * | source | relative error |
 * |---|---|
 * | x = (largest - z) · scale: three roundings of 2^-24, of x ≤ 100, so ln 2 · 100 · 3 · 2^-24 | 1.3e-5 |
 * | the polynomial for 2^-f | 7.5e-5 |
 * | its own roundings, of four values of about 1: 4 · 2^-24 | 2.4e-7 |
 * | sums of up to 130 positive numbers: 130 · 2^-24 | 7.8e-6 |
 * | weights are e^-d to 6e-11 before they are rounded | 6e-11 |
 */
const SUM_ERROR = 2e-4;

/** Bounds of what the candidates weigh that are not near the best one. */
export interface FarWeight {
  /** All of them. */
  readonly least: number;
  readonly most: number;
  /** Any one of them. */
  readonly mostOfOne: number;
}

export interface NearAndFar {
  /** The ids of all logits from some value up, ascending; they are there until the next call. */
  readonly nearIds: Uint32Array;
  readonly far: FarWeight;
}

/**
 * One row of logits, and passes over it by SIMD instructions, which JavaScript has by WebAssembly alone: in Node on every arm64, and on x64 from
 * SSE4.1 on. The row is copied, since the passes see their own memory and nothing else: 16 µs for 196 KB
 * (docs/decisions/2026-11-30-weights-by-simd.md).
 */
export class LogitRow {
  private readonly passes: RowPasses;
  private readonly rowAt: number;
  private logits: Float32Array = new Float32Array(0);
  /** In the memory of the passes. */
  private copy = new Float32Array(0);
  private ids = new Uint32Array(0);

  constructor() {
    const module = new WebAssembly.Module(Buffer.from(ROW_PASSES, 'base64'));
    this.passes = new WebAssembly.Instance(module).exports as RowPasses;
    this.rowAt = this.passes.rowAt();
  }

  /** @param logits  shape [vocabularySize], not empty; they must not change while they are asked about */
  load(logits: Float32Array): void {
    const size = Math.ceil(logits.length / BLOCK) * BLOCK;
    if (this.copy.length !== size) this.reserve(size);
    this.copy.set(logits);
    this.copy.fill(-Infinity, logits.length);
    this.logits = logits;
  }

  /**
   * The id of the largest logit, the lowest of equal ones.
   * @throws InvalidLogitsError
   */
  best(): number {
    const id = this.passes.largestId(this.copy.byteLength);
    return id >= 0 ? id : largestLogit(this.logits); // which says what is wrong
  }

  /**
   * Divides the row into the candidates near the best one and all others, whose exact weights are not looked at: e^-d is computed in float32, by a
   * polynomial, and a whole number is less than one from what was rounded to it.
   * @param largest  of the logits
   * @param reach    how far near is, about, in nats after temperature
   * @param most     candidates that may be near
   * @returns nothing when more are near, or when the temperature is so extreme that the bounds would not hold
   */
  divide(largest: number, inverseTemperature: number, reach: number, most: number): NearAndFar | undefined {
    const scale = inverseTemperature * Math.LOG2E;
    if (!(scale < MOST_SCALE && scale > 1 / MOST_SCALE)) return undefined;
    const least = Math.max(largest - reach / inverseTemperature, LEAST_FLOAT); // so that what is -∞ is never near
    const sum = this.passes.weigh(this.copy.byteLength, largest, least, scale, most) * BEST_WEIGHT;
    const nearCount = this.passes.idsCount();
    if (nearCount > Math.min(most, this.ids.length)) return undefined;
    const farCount = this.logits.length - nearCount;
    return {
      nearIds: this.ids.subarray(0, nearCount),
      far: {
        least: farCount === 0 ? 0 : Math.max(0, sum * (1 - SUM_ERROR) - farCount),
        most: farCount === 0 ? 0 : sum * (1 + SUM_ERROR) + farCount,
        mostOfOne: weightAt(reach) * SLACK + 1,
      },
    };
  }

  private reserve(size: number): void {
    const { memory } = this.passes;
    const missing = this.rowAt + size * Float32Array.BYTES_PER_ELEMENT - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
    this.copy = new Float32Array(memory.buffer, this.rowAt, size);
    const idsAt = this.passes.idsAt();
    this.ids = new Uint32Array(memory.buffer, idsAt, (this.rowAt - idsAt) / Uint32Array.BYTES_PER_ELEMENT - BLOCK);
  }
}
