const WORDS = 'the a worker holds its blocks while streams of tokens flow from engines to clients over one door'.split(
  ' ',
);

/** A prompt that shares no prefix with another number's, so that no cache answers it. */
export function promptOf(words: number, number: number): string {
  let state = (number * 2_654_435_761) >>> 0;
  const text = [`Request ${number}:`];
  for (let i = 0; i < words; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    text.push(WORDS[(state >>> 16) % WORDS.length] as string);
  }
  return text.join(' ');
}
