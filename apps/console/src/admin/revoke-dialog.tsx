import type { ApiClient } from '../api/api-client.js';
import type { ApiKey } from '../api/resources.js';
import { Dialog } from '../widgets/dialog.js';
import { ProblemNotice } from '../widgets/problem-notice.js';
import { useAct } from './use-act.js';

interface Props {
  readonly client: ApiClient;
  /** Of the tenant's keys. */
  readonly address: string;
  readonly apiKey: ApiKey;
  onClose(): void;
}

export function RevokeDialog({ client, address, apiKey, onClose }: Props) {
  const { run, isRunning, problem } = useAct(async () => {
    await client.json(`${address}/${encodeURIComponent(apiKey.id)}`, { method: 'DELETE' });
    onClose();
  });
  return (
    <Dialog title="Revoke this key?" onClose={onClose}>
      <div class="stack">
        <p>
          <code>{apiKey.id}</code> of {apiKey.account} is refused from now on, by every gateway within seconds. This
          cannot be taken back.
        </p>
        {problem !== undefined && <ProblemNotice problem={problem.facts} />}
        <div class="row end">
          <button type="button" onClick={onClose}>
            Keep it
          </button>
          <button type="button" class="danger" disabled={isRunning} onClick={run}>
            Revoke
          </button>
        </div>
      </div>
    </Dialog>
  );
}
