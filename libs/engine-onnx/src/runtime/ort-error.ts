/** `OrtErrorCode` of the C header, in its order. */
const CODES = [
  'ok',
  'fail',
  'invalid-argument',
  'no-such-file',
  'no-model',
  'engine-error',
  'runtime-exception',
  'invalid-protobuf',
  'model-loaded',
  'not-implemented',
  'invalid-graph',
  'execution-provider-fail',
  'model-load-canceled',
  'model-requires-compilation',
  'not-found',
] as const;

export type OrtErrorCode = (typeof CODES)[number] | 'unknown';

export function toOrtErrorCode(value: number): OrtErrorCode {
  return CODES[value] ?? 'unknown';
}

/** ONNX Runtime refused or failed a call. */
export class OrtError extends Error {
  override readonly name = 'OrtError';

  constructor(
    readonly call: string,
    readonly code: OrtErrorCode,
    detail: string,
  ) {
    super(`ONNX Runtime ${call}: ${detail} (${code})`);
  }
}
