/**
 * The wire contracts: types and codecs generated from `proto/`, and the service definitions in the form that a gRPC
 * server loads. No I/O. The public package stands under `publicApi`, because it has names in common with the internal one.
 */
export * from './generated/hydra/internal/v1/fleet.js';
export * from './generated/hydra/internal/v1/generation.js';
export * from './generated/hydra/internal/v1/kv.js';
export * from './generated/hydra/internal/v1/operations.js';
export * from './generated/hydra/internal/v1/placement.js';
export * from './generated/hydra/internal/v1/worker.js';
export * as publicApi from './generated/hydra/v1/inference.js';
export { INTERNAL_PACKAGE, internalPackage, PUBLIC_PACKAGE, protoFolder, publicPackage } from './packages.js';
export { productVersion } from './product-version.js';
