import { seededRandom } from '#lib/placement';
import { quantile } from '../engine/statistics.mjs';

/** 256 KB: what decisions look at, and what a core's own caches hold. */
const PLACES = 65_536;
const LOOKS_TO_CALIBRATE = 1_000_000;

/**
 * What this machine makes of work that is always the same: a walk through memory, each step of which waits for the one before, that takes about as long as
 * a decision. How far its times lie apart is not ours: other programs on the same core and caches, interrupts, the hypervisor.
 * @param {{us: number, times: number}} options  how long one walk is to take, and how many there are
 * @returns {{p50: number, p99: number}} microseconds
 */
export function timesOfFixedWork({ us, times }) {
  const next = ring(PLACES);
  let place = 0;
  const walk = (looks) => {
    for (let look = 0; look < looks; look++) place = next[place];
  };
  walk(LOOKS_TO_CALIBRATE); // compiled from here on
  const usPerLook = usOf(() => walk(LOOKS_TO_CALIBRATE)) / LOOKS_TO_CALIBRATE;
  const looks = Math.ceil(us / usPerLook);
  const timesUs = Array.from({ length: times }, () => usOf(() => walk(looks)));
  return { p50: quantile(timesUs, 0.5), p99: quantile(timesUs, 0.99) };
}

function usOf(work) {
  const startMs = performance.now();
  work();
  return (performance.now() - startMs) * 1_000;
}

/** Goes through all places once, in no order that a processor foresees. */
function ring(places) {
  const random = seededRandom(1);
  const order = Int32Array.from({ length: places }, (_, place) => place);
  for (let last = places - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [order[last], order[other]] = [order[other], order[last]];
  }
  const next = new Int32Array(places);
  for (let at = 0; at < places; at++) next[order[at]] = order[(at + 1) % places];
  return next;
}
