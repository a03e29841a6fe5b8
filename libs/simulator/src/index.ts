export { measuredOf, type SimulationResult, ttftOf } from './measurements.js';
export { scaleTrace } from './scale-trace.js';
export type { SimulatedRequest } from './simulated-request.js';
export { POOLED, type Simulation, simulate } from './simulation.js';
export { parseTrace, TRACE_FORMATS, type TraceFormat, type TraceRequest } from './trace.js';
export { H100_8B, parseWorkerModel } from './worker-model.js';
