const RAW = /([ \t]*)\{%[-+]?\s*raw\s*-?%\}(.*?)\{%[-+]?\s*endraw\s*[-+]?%\}/gs;

/** Brings a template to what @huggingface/jinja's tokenizer reads as jinja2 does. */
export function preparedSource(source: string): string {
  return source
    .replace(/\r\n?/g, '\n')
    .replace(RAW, rawAsText)
    .replace(/\{%\+/g, "{{ '' }}{%")
    .replace(/\+%\}/g, "%}{{ '' }}");
}

/** A raw block as an expression that prints its text, between tags with the white space rules of the block's own. */
function rawAsText(block: string, before: string, text: string): string {
  const [isTrimmedAhead, isTrimmedFirst] = [/^[ \t]*\{%-/.test(block), /^[ \t]*\{%[-+]?\s*raw\s*-%\}/.test(block)];
  const [isTrimmedLast, isTrimmedAfter] = [/\{%-\s*endraw\s*[-+]?%\}$/.test(block), block.endsWith('-%}')];
  let kept = isTrimmedFirst ? text.trimStart() : text;
  kept = isTrimmedLast ? kept.trimEnd() : kept.replace(/(?<=^|\n)[ \t]*$/, '');
  const literal = JSON.stringify(kept).replace(/[{}%#]/g, (character) => `\\x${character.charCodeAt(0).toString(16)}`);
  return `${before}{%${isTrimmedAhead ? '-' : ''} if true %}{{ ${literal} }}{% endif ${isTrimmedAfter ? '-' : ''}%}`;
}
