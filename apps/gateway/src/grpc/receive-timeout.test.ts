import { once } from 'node:events';
import { connect } from 'node:http2';
import { credentials } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import { callUnary } from '#lib/channels';
import { publicApi } from '#lib/contracts';
import { startTestPlatform } from '../test-support/test-platform.js';

it('given half a message and then silence, then the call ends in time; one that arrived whole may take longer', async () => {
  const platform = await startTestPlatform({ gateway: { receiveTimeoutMs: 2_000 } }); // a whole one is there by then
  platform.worker.onSubmit = () => {};
  const client = new publicApi.InferenceClient(platform.grpcTarget, credentials.createInsecure());
  const request = publicApi.CompletionRequest.fromPartial({
    model: 'default',
    prompts: [{ value: { $case: 'text', value: 'hello' } }],
    options: { maxTokens: 1 },
  });
  const whole = callUnary(client.complete.bind(client), request, { timeoutMs: 60_000 });
  const generation = await platform.worker.generation();

  const session = connect(`http://${platform.grpcTarget}`);
  const halves = [Buffer.from('00', 'hex'), Buffer.from('00000000ff0a07', 'hex'), Buffer.alloc(0)].map(async (half) => {
    const call = session.request({
      ...{ ':method': 'POST', ':path': '/hydra.v1.Inference/Complete' },
      ...{ 'content-type': 'application/grpc', te: 'trailers' },
    });
    call.write(half);
    const [answer] = await once(call, 'response');
    return answer;
  });
  for (const answer of await Promise.all(halves)) {
    expect(answer).toMatchObject({ 'grpc-status': '4', 'hydra-error-code': 'request_timeout' });
  }

  void generation.runToEnd();
  expect((await whole).choices).toHaveLength(1);
  session.destroy();
  client.close();
  await platform.stop();
});
