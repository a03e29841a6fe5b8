import { useState } from 'preact/hooks';
import { Icon } from './icon.js';

/** Absent where browsers give no clipboard: without TLS they do on this very machine alone. */
export function CopyButton({ text }: { readonly text: string }) {
  const [isCopied, setCopied] = useState(false);
  if (navigator.clipboard === undefined) return null;
  const copy = () => {
    navigator.clipboard.writeText(text).then(
      () => setCopied(true),
      () => setCopied(false),
    );
  };
  return (
    <button type="button" class="quiet" onClick={copy} onBlur={() => setCopied(false)}>
      <Icon name="copy" /> {isCopied ? 'Copied' : 'Copy'}
    </button>
  );
}
