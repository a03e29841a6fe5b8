import { setFlagsFromString } from 'node:v8';

/**
 * Imported before anything else. V8 watches where objects are made that outlive young collections, and makes those of such a place in its old
 * generation from then on. Here a burst of streams, and records that are meant to stay, teach it that about places that every request
 * passes: what requests make is then old at once, and stays until a full collection
 * (docs/decisions/2026-11-29-what-outlives-a-request.md).
 */
setFlagsFromString('--no-allocation-site-pretenuring');
