import { expect, it } from 'vitest';
import { type Story, type StorySpan, storyText } from './story.js';

const span = (given: Partial<StorySpan>): StorySpan => ({
  ...{
    app: 'gateway',
    name: 'x',
    span_id: '',
    parent_span_id: 'of the client',
    start_ms: 1_000,
    duration_ms: 5,
    open: false,
  },
  ...{ error: null, error_message: null, attributes: {}, events: [] },
  ...given,
});

it('given spans of several apps, when shown, then each stands below what asked for it, with its times, events and failures', () => {
  const story: Story = {
    ...{ request_ids: ['r1'], trace_ids: ['t1'], generation_ids: ['g1'], tenants: ['acme'], dropped_spans: 2 },
    unreachable: ['10.0.0.9:9092'],
    spans: [
      span({
        name: 'POST /v1/completions',
        span_id: 'a',
        attributes: { 'hydra.request.id': 'r1', 'http.route': '/v1' },
      }),
      span({ name: 'place', span_id: 'b', parent_span_id: 'a', start_ms: 1_001 }),
      span({
        ...{ app: 'scheduler', name: 'place', parent_span_id: 'b', start_ms: 1_002, duration_ms: 1.25 },
        events: [
          {
            name: 'candidate',
            offset_ms: 0.5,
            attributes: { 'hydra.worker.id': 'w0', 'hydra.placement.load': 0.12345 },
          },
        ],
      }),
      span({ name: 'generate', parent_span_id: 'a', start_ms: 1_004, error: 'worker_lost', error_message: 'gone' }),
      span({ name: 'generate', parent_span_id: 'a', start_ms: 1_005, duration_ms: 70, open: true }),
    ],
  };
  expect(storyText(story).split('\n')).toEqual([
    'request r1   tenant acme',
    'trace t1',
    'generation g1',
    'began 1970-01-01T00:00:01.000Z',
    '',
    '      at ms    took ms',
    '        0.0        5.0  gateway POST /v1/completions  http.route=/v1',
    '        1.0        5.0    gateway place',
    '        2.0        1.3      scheduler place',
    '        2.5                   · candidate  worker.id=w0  load=0.123',
    '        4.0        5.0    gateway generate  FAILED worker_lost: gone',
    '        5.0     70.0 …    gateway generate',
    '',
    '2 further spans were not remembered',
    'no answer from 10.0.0.9:9092: what it remembers is missing',
  ]);
});
