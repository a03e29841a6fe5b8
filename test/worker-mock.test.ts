import { describeWorker } from './conformance/worker-session.conformance.js';
import { startedWorker } from './support/worker.js';

describeWorker('the mock worker', async () => {
  const { worker, lines } = await startedWorker(
    { HYDRA_ENGINE: 'mock', HYDRA_MOCK_SLOTS: '8', HYDRA_MOCK_TTFT_MS: '5', HYDRA_MOCK_ITL_MS: '1' },
    'workers: { waitingGenerations: 8 }',
  );
  return {
    ...worker,
    modelId: worker.model().modelId,
    textFingerprint: worker.model().textFingerprint,
    prompts: [[...Buffer.from('Explain photosynthesis:')], [...Buffer.from('What is a worker?')]],
    adapterSources: ['/adapters/one', '/adapters/two'],
    logLines: () => lines,
    stop: () => worker.stop(20),
  };
});
