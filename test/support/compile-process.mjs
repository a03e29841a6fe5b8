// A process that compiles a model and dies, as by kill -9, when it has read that many tensors.
import { compileModel } from '#lib/engine-onnx';

const { source, weights, storeFolder, killedAfterTensors } = JSON.parse(process.argv[2]);
let tensors = 0;
await compileModel({
  source,
  weights,
  storeFolder,
  onProgress: () => {
    if (++tensors === killedAfterTensors) process.kill(process.pid, 'SIGKILL');
  },
});
