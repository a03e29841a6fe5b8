import { KvEventLog } from '#lib/kv-transfer';
import type { EngineHost } from '../engine/engine-host.js';
import type { WorkerIdentity } from '../worker-identity.js';

/** Where blocks lie: in the memory that the engine computes in. */
const MEDIUM = 'device';

/** What the engine's prefix store holds, for schedulers. */
export function engineKvEvents(host: EngineHost, { model }: WorkerIdentity): KvEventLog {
  const log = new KvEventLog({ modelId: model.id, medium: MEDIUM });
  host.onEvent((event) => {
    if (event.kind === 'prefix') log.note(event.change);
    if (event.kind === 'engine-lost') log.clear();
  });
  return log;
}
