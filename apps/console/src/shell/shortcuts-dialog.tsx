import { Dialog } from '../widgets/dialog.js';
import type { Shortcut } from './shortcuts.js';

/** Keys that belong to what has the focus. */
const ALWAYS = [
  { keys: 'Enter', does: 'Send the message' },
  { keys: 'Shift+Enter', does: 'New line' },
  { keys: 'Escape', does: 'Stop the answer, or close a dialog' },
];

interface Props {
  readonly shortcuts: readonly Shortcut[];
  readonly isOn: boolean;
  onToggle(isOn: boolean): void;
  onClose(): void;
}

export function ShortcutsDialog({ shortcuts, isOn, onToggle, onClose }: Props) {
  return (
    <Dialog title="Keyboard" onClose={onClose}>
      <dl class="shortcuts">
        {[...ALWAYS, ...shortcuts].map(({ keys, does }) => (
          <div key={keys}>
            <dt>
              {keys.split(' ').map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <label class="check">
        <input type="checkbox" checked={isOn} onChange={(event) => onToggle(event.currentTarget.checked)} />
        Shortcuts of single keys
      </label>
    </Dialog>
  );
}
