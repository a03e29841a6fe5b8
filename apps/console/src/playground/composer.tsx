import { useEffect, useRef, useState } from 'preact/hooks';
import { Icon } from '../widgets/icon.js';

export const COMPOSER_ID = 'composer';

interface Props {
  readonly isRunning: boolean;
  readonly canSend: boolean;
  onSend(text: string): void;
  onStop(): void;
}

/** Where messages are written. While an answer runs, its button stops that. */
export function Composer({ isRunning, canSend, onSend, onStop }: Props) {
  const [text, setText] = useState('');
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => field.current?.focus(), []);
  const isReady = canSend && !isRunning && text.trim() !== '';
  const send = () => {
    if (!isReady) return;
    onSend(text);
    setText('');
  };
  const stop = () => {
    onStop();
    field.current?.focus(); // the button is another one from now on
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  };
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <label class="hidden" for={COMPOSER_ID}>
        Message
      </label>
      <textarea
        ref={field}
        id={COMPOSER_ID}
        rows={1}
        placeholder="Write a message"
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      {isRunning ? (
        <button type="button" class="icon-only" aria-label="Stop the answer" title="Stop (Esc)" onClick={stop}>
          <Icon name="stop" />
        </button>
      ) : (
        <button type="submit" class="primary icon-only" aria-label="Send" title="Send (Enter)" disabled={!isReady}>
          <Icon name="send" />
        </button>
      )}
    </form>
  );
}
