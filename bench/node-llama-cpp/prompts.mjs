const SYSTEM = 'You are a helpful AI assistant named SmolLM, trained by Hugging Face';

/** SmolLM2's chat template for one user message. */
function chat(message, system = SYSTEM) {
  return `<|im_start|>system\n${system}<|im_end|>\n<|im_start|>user\n${message}<|im_end|>\n<|im_start|>assistant\n`;
}

const LIGHTHOUSE = `The lighthouse stood at the end of a long spit of sand, and for sixty years the same family had kept its lamp. \
Every evening the keeper climbed two hundred and twelve steps with a can of oil, trimmed the wick, wound the clockwork that turned \
the lens, and wrote the weather in a book with a green cover. In the first winter of the war the coast guard asked him to put the \
light out, and he did so for one night only; the next morning a fishing boat was found on the rocks, and after that he lit it \
again whatever the letters from the capital said. His daughter learned to read from the green books. She knew that on the fourth of \
March 1921 the wind had been north by north-east, that the glass had fallen all day, and that a whale had been seen. When the \
electric lamp came, a young engineer arrived with crates and cables and explained that nobody would have to climb the stairs any \
more. The keeper listened politely, signed the papers, and on the same evening climbed them again, because, as he said, a light \
that nobody visits is only a machine. The engineer wrote this down in his report, where it was crossed out by his superior.`;

/** Written down before any of them was run; none was left out or exchanged afterwards. */
export const PROMPTS = [
  { name: 'raw, five tokens', text: 'The capital of France is' },
  { name: 'raw, story', text: 'Once upon a time, in a village between two rivers, there lived a clockmaker who' },
  { name: 'raw, code', text: 'def fibonacci(n):\n    """Return the n-th Fibonacci number."""\n' },
  { name: 'raw, numbers', text: 'Monday, Tuesday, Wednesday, Thursday, Friday,' },
  { name: 'raw, long', text: LIGHTHOUSE },
  { name: 'chat, capital', text: chat('What is the capital of France?') },
  { name: 'chat, photosynthesis', text: chat('Explain photosynthesis in simple terms.') },
  { name: 'chat, list', text: chat('Give me three tips for learning a new language.') },
  { name: 'chat, poem', text: chat('Write a short poem about the sea.', 'You answer in verse.') },
  { name: 'chat, summary', text: chat(`Summarize this text in one sentence.\n\n${LIGHTHOUSE}`) },
];
