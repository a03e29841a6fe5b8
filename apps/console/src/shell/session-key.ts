import { useMemo, useState } from 'preact/hooks';
import { ApiClient } from '../api/api-client.js';

const STORAGE_KEY = 'hydra-api-key';

/** The API key of this tab: it is gone when the tab is closed, and other tabs do not see it. */
export function useSessionKey(): { client: ApiClient; hasKey: boolean; setKey(key: string | undefined): void } {
  const [key, setKey] = useState(() => sessionStorage.getItem(STORAGE_KEY) ?? undefined);
  const client = useMemo(() => new ApiClient(key), [key]);
  return {
    client,
    hasKey: key !== undefined,
    setKey: (next) => {
      if (next === undefined) sessionStorage.removeItem(STORAGE_KEY);
      else sessionStorage.setItem(STORAGE_KEY, next);
      setKey(next);
    },
  };
}
