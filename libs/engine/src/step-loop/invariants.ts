import type { LoopSnapshot } from './loop-snapshot.js';

/**
 * What must hold between any two steps.
 * @returns a sentence for each violation; none is right
 */
export function violations({ limits, slots, live, waitingIds, generations }: LoopSnapshot): string[] {
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
  const known = new Set([...taken, ...slots.free, ...slots.opening.map(({ slot }) => slot)]);
  check(known.size === limits.slots, `of ${limits.slots} slots ${known.size} are accounted for`);
  check(live.length === placed.length, `${live.length} sequences are live, ${placed.length} have a slot`);

  let heldTokens = slots.opening.reduce((sum, { abandonedTokens }) => sum + abandonedTokens, 0);
  for (const { id, promptTokens, sequences } of generations) {
    const isWaiting = sequences.some(({ phase }) => phase === 'waiting');
    check(isWaiting === waitingIds.includes(id), `${id} ${isWaiting ? 'is not' : 'is'} in the waiting queue`);
    for (const { slot, phase, computedTokens, knownTokens, kvTokens } of sequences) {
      const who = `a sequence of ${id} in ${phase}`;
      const hasSlot = slot !== undefined;
      heldTokens += kvTokens;
      check(hasSlot === (phase !== 'waiting' && phase !== 'ended'), `${who} ${hasSlot ? 'has a' : 'has no'} slot`);
      check(hasSlot || kvTokens === 0, `${who} has memory for ${kvTokens} tokens and no slot`);
      const leastTokens = phase !== 'decode' ? 0 : limits.isExact ? promptTokens : knownTokens - 1;
      const isComputing = phase === 'decode' || phase === 'prefill';
      check(
        !isComputing || (computedTokens >= leastTokens && computedTokens < knownTokens),
        `${who}: ${computedTokens} of ${knownTokens}`,
      );
      check(computedTokens <= kvTokens, `${who} holds ${computedTokens} tokens in memory for ${kvTokens}`);
      check(kvTokens % slots.pageTokens === 0, `${who} has ${kvTokens} tokens of memory, not whole pages`);
    }
  }
  check(new Set(waitingIds).size === waitingIds.length, `a generation waits twice: ${waitingIds}`);
  const { freeKvTokens, cachedKvTokens, totalKvTokens } = slots;
  check(freeKvTokens >= 0, `${-freeKvTokens} tokens of KV more are taken than there are`);
  const spareTokens = slots.resting.reduce((sum, { kvTokens }) => sum + kvTokens, cachedKvTokens);
  check(spareTokens <= freeKvTokens, `${spareTokens} tokens of KV are kept where ${freeKvTokens} are free`);
  for (const { slot } of slots.resting) check(slots.free.includes(slot), `slot ${slot} rests and is not free`);
  check(
    !Number.isFinite(totalKvTokens) || heldTokens + freeKvTokens === totalKvTokens,
    `${heldTokens} tokens of KV are held and ${freeKvTokens} free, of ${totalKvTokens}`,
  );
  return found;
}
