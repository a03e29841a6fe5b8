/** Position in the middle of the measured steps of a decode. */
export const CONTEXT_TOKENS = 256;

/** Steps that are measured, by rows: long enough to be steady, short enough for some rounds. */
const DECODE_STEPS = { 1: 96, 2: 80, 4: 64, 8: 48, 16: 32, 32: 24 };
/** Prompts that are measured, by their length. */
const PREFILL_REPEATS = { 64: 10, 256: 4, 512: 2, 1024: 1 };

const decodeCases = Object.entries(DECODE_STEPS).map(([rows, steps]) => ({
  name: `decode.${rows}`,
  kind: 'decode',
  argument: { rows: Number(rows), contextTokens: CONTEXT_TOKENS, steps },
}));
const prefillCases = Object.entries(PREFILL_REPEATS).map(([tokens, repeats]) => ({
  name: `prefill.${tokens}`,
  kind: 'prefill',
  argument: { tokens: Number(tokens), repeats },
}));

/** Measured on both engines in turn, one figure of tokens per second each. */
export const RATE_CASES = [...decodeCases, ...prefillCases];

/** Running streams beside a prompt, on both engines. */
export const MIXED_CASE = {
  name: 'mixed',
  kind: 'mixed',
  argument: { rows: 8, contextTokens: CONTEXT_TOKENS, steps: 120, promptTokens: 1000, longestMs: 15_000 },
};

/** The closed loop of `hydra bench`, through the platform and at the engine. */
export const GATEWAY_CASE = {
  name: 'gateway.16',
  argument: { concurrency: 16, requests: 48, maxTokens: 64, promptWords: 30 },
};

export const JAVASCRIPT_CASE = {
  name: 'javascriptShare.16',
  argument: { rows: 16, contextTokens: CONTEXT_TOKENS, steps: 48 },
};

const rateCases = (...names) => RATE_CASES.filter(({ name }) => names.includes(name));

/** With int8 weights, against node-llama-cpp with Q8_0. */
export const INT8_CASES = rateCases('decode.1', 'decode.8', 'decode.16', 'prefill.256');

/** With w8a8 weights, against the same. */
export const W8A8_CASES = rateCases('decode.1', 'decode.8', 'decode.16', 'prefill.256', 'prefill.1024');

/** With a copy of the weights in fp32 for prompts, against node-llama-cpp with the file as it is. */
export const PREFILL_COPY_CASES = rateCases('prefill.256', 'prefill.1024');

/** Against ONNX Runtime GenAI. */
export const GENAI_CASES = rateCases('decode.1', 'decode.8');

/** Of a worker's process: so little KV memory that the load fills it. */
export const MEMORY_CASE = {
  name: 'memory',
  argument: { kvBytes: 64 * 1024 * 1024, concurrency: 8, requests: 16, maxTokens: 16, promptWords: 120 },
};

export const CASE_NAMES = [
  ...[...RATE_CASES, MIXED_CASE, GATEWAY_CASE, JAVASCRIPT_CASE, MEMORY_CASE].map(({ name }) => name),
  'int8',
  'w8a8',
  'prefill-fp32',
  'genai',
];

/** What is to be reached, as ratio to the peer or as share; `atMost` where less is better. */
export const TARGETS = {
  'decode.1': { atLeast: 1.05 },
  'decode.8': { atLeast: 2.2 },
  'decode.16': { atLeast: 2.2 },
  'prefill.256': { atLeast: 1.7 },
  'prefill.1024': { atLeast: 1.6 },
  'int8.decode.1': { atLeast: 1.05 },
  'int8.decode.8': { atLeast: 2.2 },
  'int8.decode.16': { atLeast: 2.2 },
  'int8.prefill.256': { atLeast: 1.7 },
  'w8a8.decode.8': { atLeast: 2.2 },
  'w8a8.decode.16': { atLeast: 2.2 },
  'w8a8.prefill.256': { atLeast: 1.7 },
  'w8a8.prefill.1024': { atLeast: 1.6 },
  'prefill-fp32.prefill.256': { atLeast: 2.4 },
  'prefill-fp32.prefill.1024': { atLeast: 2.4 },
  'genai.decode.1': { atLeast: 1 },
  'genai.decode.8': { atLeast: 1 },
  bandwidth: { atLeast: 0.5 },
  'mixed.total': { atLeast: 1.6 },
  'gateway.16': { atLeast: 0.95 },
  'javascriptShare.16': { atMost: 0.05 },
  mixed: { atMost: 3 },
  /** Bytes beyond weights and `kvBytes`. */
  memory: { atMost: 300e6 },
};
