import { useState } from 'preact/hooks';
import type { Caller, List, Model } from './api/resources.js';
import { useResource } from './api/use-resource.js';
import { COMPOSER_ID } from './playground/composer.js';
import { PlaygroundPage } from './playground/playground-page.js';
import { useChat } from './playground/use-chat.js';
import { useChatSettings } from './playground/use-chat-settings.js';
import { KeyDialog } from './shell/key-dialog.js';
import { lazyPage } from './shell/lazy-page.js';
import { goTo, pagesFor, usePage } from './shell/pages.js';
import { useSessionKey } from './shell/session-key.js';
import { type Shortcut, useShortcuts } from './shell/shortcuts.js';
import { ShortcutsDialog } from './shell/shortcuts-dialog.js';
import { useTheme } from './shell/theme.js';
import { TopBar } from './shell/top-bar.js';
import { ProblemNotice } from './widgets/problem-notice.js';

/** Time between looks at the models, in milliseconds: seldom when there are some, often until then. */
const MODELS_INTERVAL_MS = 15_000;
const FIRST_MODELS_INTERVAL_MS = 2_000;

const FleetPage = lazyPage(async () => (await import('./fleet/fleet-page.js')).FleetPage);
const KeysPage = lazyPage(async () => (await import('./admin/keys-page.js')).KeysPage);
const UsagePage = lazyPage(async () => (await import('./admin/usage-page.js')).UsagePage);

type OpenDialog = 'shortcuts' | 'key';

/** The whole page. What must outlive a change of the tab is kept here: the conversation, the key, the models. */
export function App() {
  const page = usePage();
  const [theme, switchTheme] = useTheme();
  const { client, hasKey, setKey } = useSessionKey();
  const [dialog, setDialog] = useState<OpenDialog | undefined>(undefined);
  const models = useResource<List<Model>>(client, '/v1/models', {
    intervalMs: FIRST_MODELS_INTERVAL_MS,
    intervalAfter: ({ data }) => (data.length > 0 ? MODELS_INTERVAL_MS : FIRST_MODELS_INTERVAL_MS),
  });
  const caller = useResource<Caller>(client, '/v1/me');
  const pages = pagesFor(caller.data?.scopes);
  const settings = useChatSettings(models.data?.data ?? []);
  const chat = useChat(client, settings.chosen);
  const openKey = () => setDialog('key');
  const startAnew = () => {
    chat.clear();
    toComposer();
  };
  const shortcuts: readonly Shortcut[] = [
    { keys: '/', does: 'Write a message', run: toComposer },
    { keys: 'n', does: 'New conversation', run: startAnew },
    { keys: 'r', does: 'Ask again', run: chat.retry },
    ...pages.map(({ name, title, key }) => ({ keys: `g ${key}`, does: `Go to ${title}`, run: () => goTo(name) })),
    { keys: 't', does: 'Switch the theme: the device’s, light, dark', run: switchTheme },
    { keys: 'k', does: 'Enter an API key', run: openKey },
    { keys: '?', does: 'Show these keys', run: () => setDialog('shortcuts') },
  ];
  const [areShortcutsOn, setShortcutsOn] = useShortcuts(shortcuts);
  const close = () => setDialog(undefined);

  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById('main')?.focus()}>
        Skip to the page
      </button>
      <TopBar
        pages={pages}
        page={page}
        theme={theme}
        models={models}
        hasKey={hasKey}
        onTheme={switchTheme}
        onKey={openKey}
        onShortcuts={() => setDialog('shortcuts')}
      />
      <main id="main" tabIndex={-1}>
        {page === 'playground' && <PlaygroundPage chat={chat} settings={settings} models={models} onKey={openKey} />}
        {page === 'fleet' && <FleetPage client={client} />}
        {page === 'keys' && caller.data !== undefined && <KeysPage client={client} caller={caller.data} />}
        {page === 'usage' && caller.data !== undefined && <UsagePage client={client} caller={caller.data} />}
        {(page === 'keys' || page === 'usage') && caller.problem !== undefined && (
          <div class="page">
            <ProblemNotice problem={caller.problem.facts} onRetry={caller.reload} />
          </div>
        )}
      </main>
      {dialog === 'key' && <KeyDialog hasKey={hasKey} onKey={setKey} onClose={close} />}
      {dialog === 'shortcuts' && (
        <ShortcutsDialog shortcuts={shortcuts} isOn={areShortcutsOn} onToggle={setShortcutsOn} onClose={close} />
      )}
    </>
  );
}

function toComposer(): void {
  goTo('playground');
  requestAnimationFrame(() => document.getElementById(COMPOSER_ID)?.focus());
}
