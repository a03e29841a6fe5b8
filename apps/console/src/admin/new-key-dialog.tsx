import { useState } from 'preact/hooks';
import type { ApiClient } from '../api/api-client.js';
import type { List, NewApiKey, ServiceAccount } from '../api/resources.js';
import { readPages, useResource } from '../api/use-resource.js';
import { CopyButton } from '../widgets/copy-button.js';
import { Dialog } from '../widgets/dialog.js';
import { Field } from '../widgets/field.js';
import { ProblemNotice } from '../widgets/problem-notice.js';
import { useAct } from './use-act.js';

const SCOPES = [
  { name: 'inference', lets: 'ask models' },
  { name: 'usage', lets: "read the tenant's usage" },
  { name: 'metrics', lets: 'read metrics and the fleet' },
  { name: 'admin', lets: 'administer, as far as the roles go' },
] as const;
const DEFAULT_SCOPES: readonly string[] = ['inference', 'usage'];

/** How long a key is good, in days; 0 without end. */
const LIFETIMES_DAYS = [30, 90, 365, 0] as const;
const SECONDS_PER_DAY = 86_400;

interface Props {
  readonly client: ApiClient;
  readonly tenant: string;
  onClose(): void;
}

export function NewKeyDialog({ client, tenant, onClose }: Props) {
  const address = `/v1/admin/tenants/${encodeURIComponent(tenant)}`;
  const accounts = useResource<List<ServiceAccount>>(client, `${address}/accounts`, { read: readPages });
  const [chosen, setChosen] = useState('');
  const [scopes, setScopes] = useState<readonly string[]>(DEFAULT_SCOPES);
  const [days, setDays] = useState<number>(LIFETIMES_DAYS[1]);
  const [made, setMade] = useState<NewApiKey | undefined>(undefined);
  const names = accounts.data?.data.map(({ name }) => name) ?? [];
  const account = chosen || names[0] || '';
  const { run, isRunning, problem } = useAct(async () => {
    const expires = days === 0 ? {} : { expires_at: Math.floor(Date.now() / 1_000) + days * SECONDS_PER_DAY };
    setMade(await client.json(`${address}/keys`, { method: 'POST', body: { account, scopes, ...expires } }));
  });
  const toggle = (name: string, isOn: boolean) =>
    setScopes(isOn ? [...scopes, name] : scopes.filter((scope) => scope !== name));

  if (made !== undefined) {
    return (
      <Dialog title="The new key" onClose={onClose}>
        <div class="stack">
          <p>Copy it now: it is shown this once, and nobody can read it again.</p>
          <output class="secret">{made.key}</output>
          <div class="row end">
            <CopyButton text={made.key} />
            <button type="button" class="primary" onClick={onClose}>
              Done
            </button>
          </div>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog title={`New key for ${tenant}`} onClose={onClose}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          run();
        }}
      >
        <Field label="Service account" hint={names.length === 0 && !accounts.isLoading ? NO_ACCOUNTS : undefined}>
          {(props) => (
            <select {...props} value={account} onChange={(event) => setChosen(event.currentTarget.value)}>
              {names.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          )}
        </Field>
        <fieldset class="stack tight">
          <legend>It may</legend>
          {SCOPES.map(({ name, lets }) => (
            <label key={name} class="check">
              <input
                type="checkbox"
                checked={scopes.includes(name)}
                onChange={(event) => toggle(name, event.currentTarget.checked)}
              />
              <span>
                {lets} <code>{name}</code>
              </span>
            </label>
          ))}
        </fieldset>
        <Field label="Good for">
          {(props) => (
            <select {...props} value={String(days)} onChange={(event) => setDays(Number(event.currentTarget.value))}>
              {LIFETIMES_DAYS.map((value) => (
                <option key={value} value={String(value)}>
                  {value === 0 ? 'ever' : `${value} days`}
                </option>
              ))}
            </select>
          )}
        </Field>
        {accounts.problem !== undefined && <ProblemNotice problem={accounts.problem.facts} />}
        {problem !== undefined && <ProblemNotice problem={problem.facts} />}
        <div class="row end">
          <button type="submit" class="primary" disabled={isRunning || account === '' || scopes.length === 0}>
            Make the key
          </button>
        </div>
      </form>
    </Dialog>
  );
}

const NO_ACCOUNTS = 'This tenant has none yet: `hydra tenants add-account` makes one.';
