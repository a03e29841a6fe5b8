import { isAbsolute, normalize } from 'node:path';
import { status } from '@grpc/grpc-js';
import { Injectable } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import type {
  Adapter,
  ListAdaptersResponse,
  LoadAdapterRequest,
  LoadAdapterResponse,
  UnloadAdapterRequest,
  UnloadAdapterResponse,
} from '#lib/contracts';
import type { AdapterOutcome, AdapterRefusalReason, EngineAdapter } from '#lib/engine';
import { WorkerIdentity } from '../worker-identity.js';
import { AdapterKeeper } from './adapter-keeper.js';

const CODES: Readonly<Record<AdapterRefusalReason, status>> = {
  unknown: status.NOT_FOUND,
  unusable: status.FAILED_PRECONDITION,
  'no-room': status.RESOURCE_EXHAUSTED,
  'in-use': status.DEADLINE_EXCEEDED,
  unsupported: status.UNIMPLEMENTED,
  unavailable: status.UNAVAILABLE,
};
/** Longest wait of `UnloadAdapter` that names none, in milliseconds. Chosen: a long answer. */
const DEFAULT_UNLOAD_MS = 60_000;
const MOST_ID_CHARACTERS = 256;

/** The worker's calls about adapters. */
@Injectable()
export class AdapterCalls {
  constructor(
    private readonly identity: WorkerIdentity,
    private readonly keeper: AdapterKeeper,
  ) {}

  /** @throws RpcException */
  async load({ adapter }: LoadAdapterRequest): Promise<LoadAdapterResponse> {
    const { adapterId = '', modelId = '', source = '' } = adapter ?? {};
    const { id } = this.identity.model;
    if (adapterId === '' || adapterId.length > MOST_ID_CHARACTERS) {
      throw refused(status.INVALID_ARGUMENT, `adapter_id has 1 to ${MOST_ID_CHARACTERS} characters.`);
    }
    if (modelId !== id) throw refused(status.NOT_FOUND, `This worker serves "${id}", not "${modelId}".`);
    if (adapterId === id) throw refused(status.INVALID_ARGUMENT, 'An adapter cannot have the name of its model.');
    if (!isAbsolute(source) || normalize(source) !== source) {
      throw refused(status.INVALID_ARGUMENT, 'source is the absolute path of a folder, without `..`.');
    }
    return { adapter: this.toWire(done(await this.keeper.load({ adapterId, source }))) };
  }

  /** @throws RpcException */
  async unload({ adapterId, graceMs }: UnloadAdapterRequest): Promise<UnloadAdapterResponse> {
    done(await this.keeper.unload(adapterId, graceMs || DEFAULT_UNLOAD_MS));
    return {};
  }

  list(): ListAdaptersResponse {
    return { adapters: this.keeper.loaded().map((adapter) => this.toWire(adapter)) };
  }

  private toWire(adapter: EngineAdapter): Adapter {
    return { ...adapter, modelId: this.identity.model.id };
  }
}

function done(outcome: AdapterOutcome): EngineAdapter {
  if (outcome.kind === 'done') return outcome.adapter;
  throw refused(CODES[outcome.reason], outcome.message);
}

function refused(code: status, message: string): RpcException {
  return new RpcException({ code, message });
}
