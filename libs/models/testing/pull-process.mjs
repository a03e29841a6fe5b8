// A process that pulls a model and tells its parent: for tests with several processes, and with one that is killed.
import { ModelStore } from '#lib/models';

process.once('message', async ({ name, ...options }) => {
  const store = new ModelStore({ ...options, environment: { ...process.env, ...options.environment } });
  try {
    const onProgress = (progress) => process.send?.({ progress });
    process.send?.({ model: await store.pullModel(name, { onProgress }) });
  } catch (error) {
    process.send?.({ error: `${error.name}: ${error.message}` });
  }
  process.disconnect();
});
process.send?.('ready');
