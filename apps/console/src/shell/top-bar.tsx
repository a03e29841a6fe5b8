import type { List, Model } from '../api/resources.js';
import type { Resource } from '../api/use-resource.js';
import { Icon } from '../widgets/icon.js';
import icon from './icon.svg';
import { addressOf, type PAGES, type Page } from './pages.js';
import { nextTheme, type Theme } from './theme.js';

const THEME_WORDS = { system: 'the device’s theme', light: 'light', dark: 'dark' } as const;

interface Props {
  readonly pages: readonly (typeof PAGES)[number][];
  readonly page: Page;
  readonly theme: Theme;
  readonly models: Resource<List<Model>>;
  readonly hasKey: boolean;
  onTheme(): void;
  onKey(): void;
  onShortcuts(): void;
}

export function TopBar({ pages, page, theme, models, hasKey, onTheme, onKey, onShortcuts }: Props) {
  const themeLabel = `Theme: ${THEME_WORDS[theme]}. Switch to ${THEME_WORDS[nextTheme(theme)]}`;
  return (
    <header class="top-bar">
      <a class="brand" href={addressOf('playground')}>
        <img src={icon} alt="" width="28" height="28" />
        HydraServe
      </a>
      <nav aria-label="Pages">
        {pages.map(({ name, title }) => (
          <a key={name} href={addressOf(name)} aria-current={name === page ? 'page' : undefined}>
            {title}
          </a>
        ))}
      </nav>
      <Health models={models} hasKey={hasKey} />
      <div class="top-actions">
        <button type="button" class="quiet" data-on={hasKey} onClick={onKey}>
          <Icon name="key" /> <span class="wide-only">{hasKey ? 'Key set' : 'API key'}</span>
          <span class="hidden narrow-only">API key</span>
        </button>
        <button type="button" class="quiet icon-only" aria-label={themeLabel} title={themeLabel} onClick={onTheme}>
          <Icon name={theme} />
        </button>
        <button
          type="button"
          class="quiet icon-only"
          aria-label="Keyboard shortcuts"
          title="Keyboard shortcuts (?)"
          onClick={onShortcuts}
        >
          <Icon name="keyboard" />
        </button>
      </div>
    </header>
  );
}

/** Whether the gateway can answer, in a word. */
function Health({ models: { data, problem, isLoading }, hasKey }: Pick<Props, 'models' | 'hasKey'>) {
  const [state, words] = healthWords(
    isLoading,
    problem?.facts.code,
    hasKey,
    data?.data.filter(({ parent }) => parent === null).length,
  );
  return (
    <p class="health" role="status" data-state={state}>
      {words}
    </p>
  );
}

function healthWords(
  isLoading: boolean,
  code: string | undefined,
  hasKey: boolean,
  modelCount: number | undefined,
): [string, string] {
  if (code === 'invalid_api_key') return hasKey ? ['failed', 'Key not accepted'] : ['waiting', 'Key needed'];
  if (code !== undefined) return ['failed', code === 'network' ? 'No connection' : 'Not available'];
  if (isLoading || modelCount === undefined) return ['waiting', 'Connecting'];
  if (modelCount === 0) return ['waiting', 'No model yet'];
  return ['fine', modelCount === 1 ? '1 model ready' : `${modelCount} models ready`];
}
