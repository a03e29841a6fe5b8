import { Metadata } from '@grpc/grpc-js';

/** For what blocks are fetched: it travels in the call's metadata, so that the source's part is told in the request's own trace. */
export interface FetchOrigin {
  readonly trace: { readonly traceparent: string; readonly tracestate: string };
  readonly requestId: string;
  readonly tenantId: string;
  readonly generationId: string;
}

const REQUEST_ID = 'x-request-id';
const TENANT_ID = 'x-hydra-tenant-id';
const GENERATION_ID = 'x-hydra-generation-id';

export function metadataOf(origin: FetchOrigin | undefined): Metadata {
  const metadata = new Metadata();
  if (origin === undefined) return metadata;
  const { trace, requestId, tenantId, generationId } = origin;
  metadata.set('traceparent', trace.traceparent);
  if (trace.tracestate !== '') metadata.set('tracestate', trace.tracestate);
  metadata.set(REQUEST_ID, requestId);
  metadata.set(TENANT_ID, tenantId);
  metadata.set(GENERATION_ID, generationId);
  return metadata;
}

/** @returns undefined when the caller says nothing of it */
export function fetchOriginOf(metadata: Metadata): FetchOrigin | undefined {
  const text = (key: string) => String(metadata.get(key)[0] ?? '');
  const traceparent = text('traceparent');
  const generationId = text(GENERATION_ID);
  if (traceparent === '' || generationId === '') return undefined;
  const trace = { traceparent, tracestate: text('tracestate') };
  return { trace, requestId: text(REQUEST_ID), tenantId: text(TENANT_ID), generationId };
}
