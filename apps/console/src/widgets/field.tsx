import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';

interface ControlProps {
  readonly id: string;
  readonly 'aria-describedby'?: string;
  readonly 'aria-invalid'?: 'true';
}

interface Props {
  readonly label: string;
  readonly hint?: string;
  readonly wrong?: string;
  children(props: ControlProps): ComponentChildren;
}

/** A control with its label, and what is to be known or wrong of it. */
export function Field({ label, hint, wrong, children }: Props) {
  const id = useId();
  const note = wrong ?? hint;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children({
        id,
        ...(note === undefined ? {} : { 'aria-describedby': `${id}-note` }),
        ...(wrong === undefined ? {} : { 'aria-invalid': 'true' as const }),
      })}
      {note !== undefined && (
        <p id={`${id}-note`} class={wrong === undefined ? 'hint' : 'wrong'}>
          {note}
        </p>
      )}
    </div>
  );
}
