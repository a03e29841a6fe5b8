import type { LoopSnapshot } from './loop-snapshot.js';

/**
 * What must hold between any two steps.
 * @returns a sentence for each violation; none is right
 */
export function violations({ limits, slots, live, generations }: LoopSnapshot): string[] {
  const found: string[] = [];
  const check = (holds: boolean, sentence: string) => {
    if (!holds) found.push(sentence);
  };
  const sequences = generations.flatMap((generation) => generation.sequences);
  const placed = sequences.filter(({ slot }) => slot !== undefined);
  const taken = placed.map(({ slot }) => slot!);

  check(new Set(taken).size === taken.length, `a slot has two sequences: ${taken}`);
  check(new Set(slots.free).size === slots.free.length, `a slot is free twice: ${slots.free}`);
  check(!taken.some((slot) => slots.free.includes(slot)), `a slot is free and taken: ${taken} and ${slots.free}`);
  const known = new Set([...taken, ...slots.free, ...slots.opening]);
  check(known.size === limits.slots, `of ${limits.slots} slots ${known.size} are accounted for`);
  check(live.length === placed.length, `${live.length} sequences are live, ${placed.length} have a slot`);

  let reserved = 0;
  for (const generation of generations) {
    for (const { slot, phase, computedTokens, knownTokens } of generation.sequences) {
      const who = `a sequence of ${generation.id} in ${phase}`;
      const hasSlot = slot !== undefined;
      if (hasSlot) reserved += generation.reservedTokens;
      check(hasSlot === (phase !== 'waiting' && phase !== 'ended'), `${who} ${hasSlot ? 'has a' : 'has no'} slot`);
      check(phase !== 'decode' || computedTokens === knownTokens - 1, `${who}: ${computedTokens} of ${knownTokens}`);
      check(phase !== 'prefill' || computedTokens < knownTokens, `${who}: ${computedTokens} of ${knownTokens}`);
      check(computedTokens <= generation.reservedTokens, `${who} holds more than it reserved`);
    }
  }
  check(reserved === slots.reservedTokens, `${slots.reservedTokens} tokens are reserved, sequences have ${reserved}`);
  check(slots.reservedTokens <= slots.kvTokens, `${slots.reservedTokens} of ${slots.kvTokens} KV tokens are reserved`);
  return found;
}
