/** The engine's thread: started by `onnxEngineThread`, whose options it finds in `workerData`. */
import { parentPort, workerData } from 'node:worker_threads';
import { serveEngine } from '#lib/engine';
import { type OnnxEngineOptions, onnxEngine } from './onnx-engine.js';

if (parentPort === null) throw new Error('engine-thread-entry runs in a worker thread only.');
serveEngine(onnxEngine(workerData as OnnxEngineOptions), parentPort);
