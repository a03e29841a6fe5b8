/**
 * Preloaded into worker processes (`NODE_OPTIONS`, see engine-fault.ts): the engine's thread breaks shortly after a
 * generation came whose seed names a fault, in the midst of its steps. The product knows nothing of it.
 */
import { createRequire } from 'node:module';
import worker from 'node:worker_threads';

const koffi = createRequire(import.meta.url)('koffi');
/** Ended by the process alone. */
const LONG_S = 10_000;
/** Steps of a tiny model take about a millisecond. */
const AFTER_MS = 20;

const faults = {
  9001: function throws() {
    throw new Error('a fault of the test');
  },
  9002: function hangsInJavaScript() {
    for (;;);
  },
  9003: function hangsInNativeCall() {
    sleepFunction()(LONG_S);
  },
  /** As a run of the model does: the call is in a thread of its own, and the engine's waits for it when it ends. */
  9004: function hangsInNativeCallAside() {
    sleepFunction().async(LONG_S, () => {});
    for (;;);
  },
};

function sleepFunction() {
  return koffi.load(null).func('unsigned int sleep(unsigned int)');
}

const victim = process.env.ENGINE_FAULT_WORKER;
if (!worker.isMainThread && (victim === undefined || victim === process.env.HYDRA_WORKER_ID)) {
  const { parentPort } = worker;
  const on = parentPort.on.bind(parentPort);
  parentPort.on = (event, listener) => {
    if (event !== 'message') return on(event, listener);
    return on('message', (input) => {
      const fault = input.kind === 'submit' ? faults[Number(input.request.sampling.seed)] : undefined;
      if (fault !== undefined) setTimeout(fault, AFTER_MS);
      listener(input);
    });
  };
}
