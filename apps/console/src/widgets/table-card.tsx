import type { ComponentChildren } from 'preact';

interface Props {
  readonly title: string;
  readonly hint?: string;
  /** Of the table. */
  readonly children: ComponentChildren;
}

/** A table with its title; where there is no room for all columns it scrolls by itself. */
export function TableCard({ title, hint, children }: Props) {
  return (
    <section class="card">
      <h2>{title}</h2>
      {hint !== undefined && <p class="hint">{hint}</p>}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and must do so without a mouse */}
      <section class="table-scroll" aria-label={title} tabIndex={0}>
        <table>{children}</table>
      </section>
    </section>
  );
}

/** The head of a column of numbers, at their side of it. */
export function NumberHead({ title }: { readonly title: string }) {
  return (
    <th scope="col" class="number">
      {title}
    </th>
  );
}
