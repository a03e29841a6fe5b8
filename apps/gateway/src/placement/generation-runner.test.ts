import { beforeEach, expect, it, vi } from 'vitest';
import { GenerationStream } from '#lib/channels';
import { hydraSchema } from '#lib/config';
import { type FrameEntry, GenerationRequest, ServedModel } from '#lib/contracts';
import { createLogger, Tracing } from '#lib/observability';
import type { FleetView } from '../fleet/fleet-view.js';
import type { GatewayMetrics } from '../observation/gateway-metrics.js';
import { type Deliver, GenerationRunner } from './generation-runner.js';
import type { Place, Placer } from './placer.js';

const logger = createLogger('test', { level: 'silent', format: 'json' });
const tracing = await Tracing.open(
  hydraSchema.parse({}).tracing,
  { name: 'gateway', version: '0', instanceId: 'test' },
  logger,
);
const request = GenerationRequest.fromPartial({ generationId: 'g', initialCredit: 4 });
const entry = { generationId: 'g', sequenceIndex: 0, tokenIds: [1] } as FrameEntry;

let stream: GenerationStream;
let settle: Place['settle'];
let grant: () => void;
let outcomes: string[];
let cancelled: string[];

beforeEach(() => {
  grant = () => {};
  cancelled = [];
  outcomes = [];
  stream = new GenerationStream(request, { grant: () => grant(), cancel: (_, reason) => cancelled.push(reason) });
  settle = ({ outcome }) => outcomes.push(outcome);
});

/** Resolves when the stream is read; the test is its session. */
async function running(deliver: Deliver) {
  const place: Partial<Place> = { leaseId: 'l', kvSources: [], earlierUses: [], settle: (end) => settle(end) };
  const submit = vi.fn(() => stream);
  const runner = new GenerationRunner(
    { place: async () => place } as unknown as Placer,
    { session: () => ({ submit }) } as unknown as FleetView,
    {} as GatewayMetrics,
    logger,
  );
  const incoming = { traceparent: undefined, tracestate: undefined, requestId: 'r', tenantId: 't' };
  const span = tracing.beginRequest(incoming, 'completion').root;
  const { signal } = new AbortController();
  const served = ServedModel.fromPartial({});
  const job = { request, served, sessionKey: '', ttftDeadlineUnixMs: 0, onPlaced: undefined, signal, span };
  const outcome = runner.run(job, deliver).catch((error: Error) => error.message);
  await vi.waitFor(() => expect(submit).toHaveBeenCalled());
  return { outcome };
}

/** As the session does when a frame came. */
function step(): void {
  stream.receive(entry);
  stream.deliver();
}

it('given a reader that throws, then the generation is cancelled and settled once, and the session does not notice', async () => {
  const { outcome } = await running(() => {
    throw new Error('cannot be delivered');
  });
  step();
  expect(await outcome).toBe('cannot be delivered');
  expect(cancelled).toEqual(['superseded']);
  expect(outcomes).toEqual(['failed']);
});

it('given a place that cannot be settled, then only its request fails, and it is not settled again', async () => {
  settle = ({ outcome }) => {
    outcomes.push(outcome);
    throw new Error('cannot be settled');
  };
  const { outcome } = await running(() => undefined);
  step();
  stream.finish(undefined);
  expect(await outcome).toBe('cannot be settled');
  expect(outcomes).toEqual(['finished']);
});

it('given a slow reader, when reading on fails, then its request does', async () => {
  grant = () => {
    throw new Error('cannot be granted');
  };
  const { promise, resolve } = Promise.withResolvers<void>();
  const { outcome } = await running(() => promise);
  step();
  step();
  resolve();
  expect(await outcome).toBe('cannot be granted');
  expect(cancelled).toEqual(['superseded']);
  expect(outcomes).toEqual(['failed']);
});
