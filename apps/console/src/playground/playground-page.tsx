import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { List, Model } from '../api/resources.js';
import type { Resource } from '../api/use-resource.js';
import { Icon } from '../widgets/icon.js';
import { ProblemNotice } from '../widgets/problem-notice.js';
import { Composer } from './composer.js';
import { SettingsPanel } from './settings-panel.js';
import { TurnView } from './turn-view.js';
import type { Chat } from './use-chat.js';
import type { ChatSettingsState } from './use-chat-settings.js';

/** Nearer to the end than this, the page follows the answer, in pixels. */
const FOLLOW_WITHIN_PX = 80;

const STARTERS = [
  'What is the capital of France?',
  'Explain a KV cache in two sentences.',
  'Write a haiku about queues.',
];

interface Props {
  readonly chat: Chat;
  readonly settings: ChatSettingsState;
  readonly models: Resource<List<Model>>;
  onKey(): void;
}

export function PlaygroundPage({ chat, settings, models, onKey }: Props) {
  const [areSettingsShown, showSettings] = useState(false); // where there is no room for both
  const canSend = settings.chosen.model !== '' && Object.keys(settings.wrong).length === 0;
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Escape' || !chat.isRunning) return;
    event.preventDefault();
    chat.stop();
  };
  useEffect(() => {
    addEventListener('keydown', onKeyDown);
    return () => removeEventListener('keydown', onKeyDown);
  });

  return (
    <div class="playground">
      <h1 class="hidden">Playground</h1>
      <div class="talk">
        <Conversation chat={chat}>
          <Welcome models={models} canSend={canSend} onStart={chat.send} onKey={onKey} />
        </Conversation>
        <div class="talk-foot">
          <Composer isRunning={chat.isRunning} canSend={canSend} onSend={chat.send} onStop={chat.stop} />
          <button
            type="button"
            class="quiet narrow-only"
            aria-expanded={areSettingsShown}
            aria-controls="settings"
            onClick={() => showSettings(!areSettingsShown)}
          >
            <Icon name="settings" />{' '}
            {areSettingsShown ? 'Hide settings' : `Settings: ${settings.form.model || 'no model'}`}
          </button>
          <p class="hint wide-only">
            <kbd>Enter</kbd> sends, <kbd>Shift</kbd> <kbd>Enter</kbd> makes a line, <kbd>Esc</kbd> stops
          </p>
        </div>
      </div>
      <aside id="settings" data-shown={areSettingsShown}>
        <SettingsPanel {...settings} />
        <button type="button" class="wide" disabled={chat.turns.length === 0} onClick={chat.clear}>
          <Icon name="new" /> New conversation
        </button>
      </aside>
    </div>
  );
}

/** @param children  in place of turns, as long as there are none */
function Conversation({ chat, children }: { readonly chat: Chat; readonly children: ComponentChildren }) {
  const box = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  const { turns } = chat;
  useEffect(() => {
    if (isAtEnd.current) box.current?.scrollTo({ top: box.current.scrollHeight });
  }, [turns]);
  const onScroll = () => {
    const { scrollHeight, scrollTop, clientHeight } = box.current as HTMLDivElement;
    isAtEnd.current = scrollHeight - scrollTop - clientHeight < FOLLOW_WITHIN_PX;
  };
  const last = turns.at(-1);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and must do so without a mouse
    <section class="turns" aria-label="Conversation" ref={box} onScroll={onScroll} tabIndex={0}>
      {turns.length === 0
        ? children
        : turns.map((turn) => (
            <TurnView key={turn.id} turn={turn} onRetry={turn === last && !chat.isRunning ? chat.retry : undefined} />
          ))}
      <p class="hidden" role="status">
        {announcement(chat)}
      </p>
    </section>
  );
}

/** What a screen reader says: not each token, but how far it is. */
function announcement({ turns, isRunning }: Chat): string {
  const last = turns.at(-1);
  if (last?.role !== 'assistant') return '';
  if (isRunning) return 'The answer is being written.';
  return last.state === 'failed'
    ? ''
    : `The answer ${last.state === 'stopped' ? 'was stopped' : 'is done'}: ${last.text}`;
}

interface WelcomeProps {
  readonly models: Resource<List<Model>>;
  readonly canSend: boolean;
  onStart(text: string): void;
  onKey(): void;
}

/** Before the first message: why nothing can be asked yet, or what could be. */
function Welcome({ models, canSend, onStart, onKey }: WelcomeProps) {
  const { data, problem } = models;
  if (problem?.facts.code === 'invalid_api_key') {
    return (
      <div class="welcome">
        <h2>This gateway needs a key</h2>
        <p>Enter an API key or a token to see what you may use. It stays in this tab.</p>
        <button type="button" class="primary" onClick={onKey}>
          <Icon name="key" /> Enter a key
        </button>
        <p class="hint">{problem.message}</p>
      </div>
    );
  }
  if (problem !== undefined) return <ProblemNotice problem={problem.facts} onRetry={models.reload} />;
  if (data === undefined) return <div class="welcome skeleton" aria-hidden="true" />;
  if (data.data.length === 0) {
    return (
      <div class="welcome">
        <h2>No model is ready yet</h2>
        <p>Workers that start need a moment to load theirs. This page goes on by itself as soon as one can answer.</p>
      </div>
    );
  }
  return (
    <div class="welcome">
      <h2>Ask a model something</h2>
      <p>Answers stream from your own fleet, with what they cost in time and tokens.</p>
      <ul class="starters">
        {STARTERS.map((text) => (
          <li key={text}>
            <button type="button" disabled={!canSend} onClick={() => onStart(text)}>
              {text}
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
