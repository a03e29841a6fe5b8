/**
 * Passes over one row of logits, 16 of them at a time, with SIMD. AssemblyScript, compiled to WebAssembly by `npm run generate:wasm`. What they are
 * for, and how near the sums are to the truth, stands where they are called: libs/engine/src/sampling/logit-row.ts.
 *
 * Memory: the constants below; ids of near candidates (u32) from `IDS` on; the row (f32) from `ROW` on, filled up with -∞ to a multiple of 16.
 */

/** Behind what the compiler puts into memory. */
const IDS: usize = 0x800;
const ROW: usize = 0x20000;
/** Ids that fit before the row, less those of one block: they are counted after they are written. */
const MOST_IDS: u32 = <u32>(ROW - IDS) / 4 - 16;

const BLOCK_BYTES: usize = 64;
/** So many blocks are added up in float32, then their sum in float64. */
const RUN_BYTES: usize = 128 * BLOCK_BYTES;

/**
 * In memory, so that they are loaded once before the loop; of a constant in the code the runtime makes a vector wherever it is used, which takes
 * twice the time. 2^-x is 2^-100 beyond x = 100. Adding 1.5 · 2^23 leaves no fraction, and the whole number in the lowest bits. Then the
 * coefficients of 2^-f for |f| ≤ 1/2, of least relative error (7.5e-5).
 */
const CONSTANTS = memory.data<f32>([100, 12582912, 0.999928057, -0.693260968, 0.242611125, -0.0551716685]);

let idCount: u32 = 0;

/** Where the ids of the last `weigh` are. */
export function idsAt(): usize {
  return IDS;
}

/** How many there are; more than were asked for when there were too many, and then they are of no use. */
export function idsCount(): u32 {
  return idCount;
}

/** Where the row is to be put. */
export function rowAt(): usize {
  return ROW;
}

/** The lowest id of the largest logit, or -1 when there is a NaN, a +∞, or none that is finite. */
export function largestId(bytes: usize): i32 {
  const end = ROW + bytes;
  let a = v128.load(ROW);
  let b = a;
  let c = a;
  let d = a;
  let areNumbers = f32x4.eq(a, a);
  for (let at = ROW; at < end; at += BLOCK_BYTES) {
    const p = v128.load(at);
    const q = v128.load(at, 16);
    const r = v128.load(at, 32);
    const s = v128.load(at, 48);
    a = f32x4.pmax(a, p);
    b = f32x4.pmax(b, q);
    c = f32x4.pmax(c, r);
    d = f32x4.pmax(d, s);
    areNumbers = v128.and(areNumbers, v128.and(f32x4.eq(p, p), f32x4.eq(q, q)));
    areNumbers = v128.and(areNumbers, v128.and(f32x4.eq(r, r), f32x4.eq(s, s)));
  }
  if (!i32x4.all_true(areNumbers)) return -1;
  a = f32x4.pmax(f32x4.pmax(a, b), f32x4.pmax(c, d));
  const largest = max<f32>(
    max<f32>(f32x4.extract_lane(a, 0), f32x4.extract_lane(a, 1)),
    max<f32>(f32x4.extract_lane(a, 2), f32x4.extract_lane(a, 3)),
  );
  if (!isFinite(largest)) return -1;
  const wanted = f32x4.splat(largest);
  for (let at = ROW; at < end; at += 16) {
    const equal = f32x4.eq(v128.load(at), wanted);
    if (v128.any_true(equal)) return <i32>((at - ROW) >> 2) + ctz(i32x4.bitmask(equal));
  }
  return -1;
}

/**
 * Writes the ids of logits z ≥ `least`, in ascending order, and adds up 2^(scale · (z - largest)) of all others.
 * @param most  ids that are looked at; where there are more, the pass ends
 */
export function weigh(bytes: usize, largest: f32, least: f32, scale: f32, most: u32): f64 {
  const end = ROW + bytes;
  const best = f32x4.splat(largest);
  const border = f32x4.splat(least);
  const factor = f32x4.splat(scale);
  const mostHalvings = v128.load_splat<f32>(CONSTANTS);
  const rounding = v128.load_splat<f32>(CONSTANTS, 4);
  const c0 = v128.load_splat<f32>(CONSTANTS, 8);
  const c1 = v128.load_splat<f32>(CONSTANTS, 12);
  const c2 = v128.load_splat<f32>(CONSTANTS, 16);
  const c3 = v128.load_splat<f32>(CONSTANTS, 20);
  const limit = min(most, MOST_IDS);
  let count: u32 = 0;
  let total: f64 = 0;
  for (let from = ROW; from < end; from += RUN_BYTES) {
    const to = min(from + RUN_BYTES, end);
    let sum = f32x4.splat(0);
    for (let at = from; at < to; at += BLOCK_BYTES) {
      const p = v128.load(at);
      const q = v128.load(at, 16);
      const r = v128.load(at, 32);
      const s = v128.load(at, 48);
      let weightP = power(p, best, factor, mostHalvings, rounding, c0, c1, c2, c3);
      let weightQ = power(q, best, factor, mostHalvings, rounding, c0, c1, c2, c3);
      let weightR = power(r, best, factor, mostHalvings, rounding, c0, c1, c2, c3);
      let weightS = power(s, best, factor, mostHalvings, rounding, c0, c1, c2, c3);
      if (v128.any_true(f32x4.ge(f32x4.pmax(f32x4.pmax(p, q), f32x4.pmax(r, s)), border))) {
        const nearP = f32x4.ge(p, border);
        const nearQ = f32x4.ge(q, border);
        const nearR = f32x4.ge(r, border);
        const nearS = f32x4.ge(s, border);
        let lanes =
          i32x4.bitmask(nearP) | (i32x4.bitmask(nearQ) << 4) | (i32x4.bitmask(nearR) << 8) | (i32x4.bitmask(nearS) << 12);
        const id = <u32>((at - ROW) >> 2);
        for (; lanes != 0; lanes &= lanes - 1) {
          store<u32>(IDS + (<usize>count << 2), id + ctz(lanes));
          count++;
        }
        if (count > limit) break;
        weightP = v128.andnot(weightP, nearP);
        weightQ = v128.andnot(weightQ, nearQ);
        weightR = v128.andnot(weightR, nearR);
        weightS = v128.andnot(weightS, nearS);
      }
      sum = f32x4.add(sum, f32x4.add(f32x4.add(weightP, weightQ), f32x4.add(weightR, weightS)));
    }
    if (count > limit) break;
    total +=
      (<f64>f32x4.extract_lane(sum, 0) + <f64>f32x4.extract_lane(sum, 1)) +
      (<f64>f32x4.extract_lane(sum, 2) + <f64>f32x4.extract_lane(sum, 3));
  }
  idCount = count;
  return total;
}

/** 2^-x = 2^-n · 2^-f with n whole: n is taken from the exponent of the polynomial's value. */
// @ts-ignore: decorator
@inline
function power(
  logits: v128,
  best: v128,
  factor: v128,
  mostHalvings: v128,
  rounding: v128,
  c0: v128,
  c1: v128,
  c2: v128,
  c3: v128,
): v128 {
  const x = f32x4.pmin(mostHalvings, f32x4.mul(f32x4.sub(best, logits), factor));
  const rounded = f32x4.add(x, rounding);
  const f = f32x4.sub(x, f32x4.sub(rounded, rounding));
  let value = f32x4.add(f32x4.mul(f, c3), c2);
  value = f32x4.add(f32x4.mul(f, value), c1);
  value = f32x4.add(f32x4.mul(f, value), c0);
  return i32x4.sub(value, i32x4.shl(rounded, 23));
}
