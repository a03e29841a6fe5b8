import { isJsonObject, type JsonObject } from '../text-files.js';

/** A run of text, or a token that stands in it as it is written. */
export type TextPart = string | { readonly id: number };

interface AddedToken {
  readonly id: number;
  /** Whether it is found in the text as it is, and takes nothing of what is beside it. */
  readonly isPlain: boolean;
}

/** Finds a tokenizer's added tokens (`<|im_start|>`) in a text: the longest of those that begin first. */
export class AddedTokens {
  private readonly byContent: ReadonlyMap<string, AddedToken>;
  private readonly pattern: RegExp | undefined;

  /** @param listed  `added_tokens` of a tokenizer.json */
  constructor(listed: unknown) {
    const tokens = Array.isArray(listed) ? listed.filter(isJsonObject) : [];
    this.byContent = new Map(
      tokens.map((token) => [String(token['content']), { id: Number(token['id']), isPlain: isPlain(token) }]),
    );
    const contents = [...this.byContent.keys()].filter((content) => content !== '');
    const longestFirst = contents.toSorted((a, b) => b.length - a.length).map(escaped);
    this.pattern = longestFirst.length === 0 ? undefined : new RegExp(longestFirst.join('|'), 'gu');
  }

  /** @returns the text's parts in order, none of them empty; `undefined` when it has a token that is not plain */
  cut(text: string): readonly TextPart[] | undefined {
    const parts: TextPart[] = [];
    let end = 0;
    for (const { 0: content, index } of this.pattern === undefined ? [] : text.matchAll(this.pattern)) {
      const token = this.byContent.get(content);
      if (token?.isPlain !== true) return undefined;
      if (index > end) parts.push(text.slice(end, index));
      parts.push(token);
      end = index + content.length;
    }
    if (end < text.length) parts.push(text.slice(end));
    return parts;
  }
}

function isPlain(token: JsonObject): boolean {
  return ['lstrip', 'rstrip', 'single_word', 'normalized'].every((option) => token[option] !== true);
}

function escaped(content: string): string {
  return content.replaceAll(/[$()*+./?[\\\]^{|}]/g, '\\$&');
}
