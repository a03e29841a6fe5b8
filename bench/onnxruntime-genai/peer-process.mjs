/**
 * ONNX Runtime GenAI, which runs in Python, as a process that answers the bench's cases. Prompts are made here, with the tokenizer
 * of ours: GenAI gets their ids. Timed in Python; making text is left out, in favour of the peer.
 *
 *   node peer-process.mjs PYTHON MODEL_FOLDER THREADS
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '#lib/config';
import { TextModel } from '#lib/tokens';
import { answerCases } from '../engine/answer-cases.mjs';
import { secondsOfProcess } from '../engine/disturbance.mjs';
import { freshPrompt } from '../engine/prompts.mjs';
import { engineOptionsFor } from '../onnx-engine.mjs';

const WARM_UP_STEPS = 2;

const [python, folder, threads] = process.argv.slice(2);
const { options } = await engineOptionsFor(loadConfig());
const text = TextModel.load(options.textFiles);
const prompt = (tokens) => freshPrompt((words) => text.promptFromText(words), tokens);

const script = fileURLToPath(new URL('./decode.py', import.meta.url));
const child = spawn(python, [script, folder, threads], { stdio: ['pipe', 'pipe', 'inherit'] });
process.once('exit', () => child.kill());
const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();

async function nextAnswer() {
  const { value, done } = await lines.next();
  if (done) throw new Error('ONNX Runtime GenAI ended; what it said stands above.');
  return JSON.parse(value);
}

async function decode({ rows, contextTokens, steps }) {
  const promptTokenIds = await prompt(contextTokens - steps / 2);
  child.stdin.write(`${JSON.stringify({ promptTokenIds, rows, warmUpSteps: WARM_UP_STEPS, steps })}\n`);
  return nextAnswer();
}

const { version } = await nextAnswer();
answerCases(
  { decode },
  { engine: 'onnxruntime-genai', version },
  async () => child.stdin.end(),
  () => secondsOfProcess(child.pid),
);
