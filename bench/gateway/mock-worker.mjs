/**
 * A worker without an engine: joins the scheduler, speaks the worker session, and gives every running sequence a token a step.
 * It computes as little as it can, so that the gateway and not the worker sets the pace. Settings come as the first IPC message.
 */
import { credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { clientChannelOptions, serverChannelOptions } from '#lib/channels';
import {
  FinishReason,
  FleetClient,
  FrameEntry,
  Registration,
  StateReport,
  WorkerRole,
  WorkerService,
} from '#lib/contracts';
import { syntheticTextFiles } from '#lib/tokens';

const REPORT_EVERY_MS = 200;
const IDLE_STEP_MS = 1;
const FINGERPRINT = 'f'.repeat(64);
const TEXT_FINGERPRINT = 'a'.repeat(64);
const EPOCH = Date.now();

const [settings] = await new Promise((resolve) => process.once('message', (message) => resolve([message])));
const { workerId, schedulerTarget, modelId, ttftMs, itlMs, contextTokens, maxRunningSequences } = settings;

/** @type {Map<string, {request: object, call: object, sent: number, gathered: number, credit: number, readyMs: number}>} */
const running = new Map();
let nextStepMs = performance.now();
const server = new Server(serverChannelOptions());
server.addService(WorkerService, { session, getModelFiles });
const port = await new Promise((resolve, reject) =>
  server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
    error ? reject(error) : resolve(bound),
  ),
);
join();
process.send({ kind: 'listening', grpcPort: port });
process.once('disconnect', () => process.exit(0));
scheduleStep(true);

function getModelFiles(call) {
  for (const [name, data] of syntheticTextFiles()) call.write({ name, data: Buffer.from(data), last: true });
  call.end();
}

function session(call) {
  call.isBlocked = false;
  call.on('error', () => {});
  call.on('end', () => call.end());
  call.on('close', () => {
    for (const [id, generation] of running) if (generation.call === call) running.delete(id);
  });
  call.on('data', ({ message: { $case, value } }) => {
    switch ($case) {
      case 'hello':
        call.write({ message: { $case: 'welcome', value: { workerId, workerEpoch: EPOCH } } });
        break;
      case 'submit':
        running.set(value.generationId, {
          ...{
            request: value,
            call,
            sent: 0,
            gathered: 0,
            credit: value.initialCredit,
            readyMs: performance.now() + ttftMs,
          },
        });
        break;
      case 'credit':
        if (running.has(value.generationId)) running.get(value.generationId).credit += value.tokens;
        break;
      case 'cancel':
        process.send({ kind: 'cancelled', atMs: Date.now() });
        cancel(value.generationId);
        break;
    }
  });
}

/** @param {boolean} isIdle  nothing could be given: without a pace of its own a worker would else take a whole core while it waits */
function scheduleStep(isIdle) {
  nextStepMs = Math.max(nextStepMs + Math.max(itlMs, isIdle ? IDLE_STEP_MS : 0), performance.now());
  const waitMs = nextStepMs - performance.now();
  if (waitMs >= 1) setTimeout(step, waitMs);
  else setImmediate(step);
}

/** One token for each sequence that has begun and has credit; one frame for each gateway that reads. */
function step() {
  const nowMs = performance.now();
  const frames = new Map();
  let isIdle = true;
  for (const generation of running.values()) {
    const { request, call, credit, readyMs } = generation;
    if (readyMs > nowMs || credit === 0 || call.isBlocked) continue;
    isIdle = false;
    generation.sent++;
    generation.credit--;
    const isLast = generation.sent === request.stop.maxTokens;
    generation.gathered++;
    if (generation.gathered < request.gatherTokens && generation.sent > 1 && !isLast) continue;
    const tokens = generation.gathered;
    generation.gathered = 0;
    const entry = FrameEntry.create({
      ...{ generationId: request.generationId, tokenIds: Array(tokens).fill(97), text: ' word'.repeat(tokens) },
      finishReason: isLast ? FinishReason.LENGTH : FinishReason.UNSPECIFIED,
    });
    const frame = frames.get(call);
    if (frame === undefined) frames.set(call, { entries: [entry], ended: [] });
    else frame.entries.push(entry);
    if (isLast) {
      running.delete(request.generationId);
      frames.get(call).ended.push(endOf(generation));
    }
  }
  for (const [call, { entries, ended }] of frames) write(call, { $case: 'frame', value: { step: 1, entries, ended } });
  scheduleStep(isIdle);
}

function cancel(generationId) {
  const generation = running.get(generationId);
  if (generation === undefined) return;
  running.delete(generationId);
  write(generation.call, { $case: 'finished', value: endOf(generation) });
}

function endOf({ request: { generationId, promptTokenIds }, sent }) {
  const usage = { promptTokens: promptTokenIds.length, completionTokens: sent, cachedPromptTokens: 0 };
  return { generationId, usage: { ...usage, queueUs: 0, prefillUs: 0, decodeUs: 0 } };
}

function write(call, message) {
  if (call.write({ message }) || call.isBlocked) return;
  call.isBlocked = true;
  call.once('drain', () => {
    call.isBlocked = false;
  });
}

function join() {
  const client = new FleetClient(schedulerTarget, credentials.createInsecure(), clientChannelOptions());
  const call = client.join();
  const model = {
    ...{ modelId, modelFingerprint: FINGERPRINT, textFingerprint: TEXT_FINGERPRINT, contextTokens, blockTokens: 16 },
    ...{ vocabularySize: 261, numerics: 'exact', weights: 'fp32', kvBytesPerToken: 1, maxRunningSequences },
    ...{ createdUnixS: 1, tasks: ['generate'], stepTokenBudget: contextTokens },
  };
  const registration = Registration.fromPartial({
    ...{ workerId, workerEpoch: EPOCH, target: `127.0.0.1:${port}`, role: WorkerRole.UNIFIED, engine: 'mock' },
    ...{ version: '0', tensorParallelSize: 1, pipelineParallelSize: 1, models: [model] },
  });
  call.on('data', () => {});
  call.on('error', () => process.exit(1)); // without a scheduler the bench is over
  call.write({ event: { $case: 'registration', value: registration } });
  let sequence = 0;
  setInterval(() => {
    const report = StateReport.fromPartial({
      ...{ sequence: ++sequence, runningGenerations: running.size, waitingGenerations: 0, stepUs: itlMs * 1_000 },
      ...{ kvUsedBytes: 0, kvTotalBytes: contextTokens * maxRunningSequences },
    });
    call.write({ event: { $case: 'report', value: report } });
  }, REPORT_EVERY_MS);
}
