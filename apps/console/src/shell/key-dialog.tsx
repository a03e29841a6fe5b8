import { useState } from 'preact/hooks';
import { Dialog } from '../widgets/dialog.js';

interface Props {
  readonly hasKey: boolean;
  onKey(key: string | undefined): void;
  onClose(): void;
}

export function KeyDialog({ hasKey, onKey, onClose }: Props) {
  const [text, setText] = useState('');
  const choose = (key: string | undefined) => {
    onKey(key);
    onClose();
  };
  const submit = (event: Event) => {
    event.preventDefault();
    if (text !== '') choose(text);
  };
  return (
    <Dialog title="API key" onClose={onClose}>
      <form class="stack" onSubmit={submit}>
        <label class="field">
          <span>Key or token</span>
          <input
            type="password"
            autocomplete="off"
            spellcheck={false}
            placeholder={hasKey ? 'Another key' : 'hydra_…'}
            pattern="[!-~]+"
            title="letters, digits and signs without spaces"
            value={text}
            onInput={(event) => setText(event.currentTarget.value.trim())}
          />
        </label>
        <p class="hint">Kept in this tab until it is closed, and sent to this gateway alone.</p>
        <div class="row end">
          {hasKey && (
            <button type="button" onClick={() => choose(undefined)}>
              Forget the key
            </button>
          )}
          <button type="submit" class="primary" disabled={text === ''}>
            Use this key
          </button>
        </div>
      </form>
    </Dialog>
  );
}
