import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PackageDefinition } from '@grpc/proto-loader';
import { FleetService } from './generated/hydra/internal/v1/fleet.js';
import { KvBlocksService } from './generated/hydra/internal/v1/kv.js';
import { OperationsService } from './generated/hydra/internal/v1/operations.js';
import { PlacementService } from './generated/hydra/internal/v1/placement.js';
import { WorkerService } from './generated/hydra/internal/v1/worker.js';
import { InferenceService } from './generated/hydra/v1/inference.js';

export const PUBLIC_PACKAGE = 'hydra.v1';
export const INTERNAL_PACKAGE = 'hydra.internal.v1';

/**
 * Service definitions keyed by full name: what Nest's gRPC transport takes as `packageDefinition`. The generated codecs
 * serve on both ends, so messages have the generated types everywhere.
 */
export const internalPackage = {
  [`${INTERNAL_PACKAGE}.Fleet`]: FleetService,
  [`${INTERNAL_PACKAGE}.KvBlocks`]: KvBlocksService,
  [`${INTERNAL_PACKAGE}.Operations`]: OperationsService,
  [`${INTERNAL_PACKAGE}.Placement`]: PlacementService,
  [`${INTERNAL_PACKAGE}.Worker`]: WorkerService,
} as unknown as PackageDefinition; // the generated definitions lack only `originalName`, which nothing reads

export const publicPackage = {
  [`${PUBLIC_PACKAGE}.Inference`]: InferenceService,
} as unknown as PackageDefinition; // as above

/** Folder of the `.proto` files, for reflection: the nearest `proto` above this file (source tree and build alike). */
export function protoFolder(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const candidate = join(folder, 'proto');
    if (existsSync(join(candidate, 'hydra', 'v1', 'inference.proto'))) return candidate;
    if (folder === dirname(folder)) throw new Error('the folder "proto" was not found above the build');
  }
}
