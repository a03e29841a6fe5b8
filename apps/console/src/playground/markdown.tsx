import { lexer, type MarkedToken, type Token, type Tokens } from 'marked';
import type { ComponentChildren, VNode } from 'preact';

/** Deeper lists and quotes are shown as they were written. */
const MAX_DEPTH = 16;

/**
 * Markdown of a model as elements. The text is parsed into tokens, and each known token becomes an element with text in it:
 * no markup is ever made from a string, HTML in an answer stays text, images become links, and links go to the web alone.
 */
export function Markdown({ text }: { readonly text: string }): VNode {
  return <div class="markdown">{blocks(tokensOf(text), 0)}</div>;
}

function tokensOf(text: string): readonly Token[] {
  try {
    return lexer(text);
  } catch {
    return [{ type: 'text', raw: text, text }]; // nested beyond what the parser can take
  }
}

function blocks(tokens: readonly Token[], depth: number): ComponentChildren {
  return tokens.map((token, index) => block(asMarked(token), index, depth));
}

/** The type has tokens of extensions, too; there are none. */
function asMarked(token: Token): MarkedToken {
  return token as MarkedToken;
}

function block(token: MarkedToken, key: number, depth: number): ComponentChildren {
  if (depth > MAX_DEPTH) return token.raw;
  switch (token.type) {
    case 'heading': {
      const Heading = `h${Math.min(token.depth + 2, 6)}` as 'h3';
      return <Heading key={key}>{inline(token.tokens)}</Heading>;
    }
    case 'paragraph':
      return <p key={key}>{inline(token.tokens)}</p>;
    case 'code':
      return (
        <pre key={key}>
          <code>{token.text}</code>
        </pre>
      );
    case 'blockquote':
      return <blockquote key={key}>{blocks(token.tokens, depth + 1)}</blockquote>;
    case 'list':
      return token.ordered ? (
        <ol key={key} start={token.start === '' ? 1 : token.start}>
          {items(token.items, depth)}
        </ol>
      ) : (
        <ul key={key}>{items(token.items, depth)}</ul>
      );
    case 'table':
      return table(token, key);
    case 'hr':
      return <hr key={key} />;
    case 'space':
    case 'def':
      return null;
    case 'html':
      return <p key={key}>{token.raw}</p>;
    default:
      return inline([token]);
  }
}

function items(list: readonly Tokens.ListItem[], depth: number): ComponentChildren {
  return list.map((item, index) => <li key={index}>{blocks(item.tokens, depth + 1)}</li>);
}

function table({ header, rows }: Tokens.Table, key: number): VNode {
  return (
    <table key={key}>
      <thead>
        <tr>
          {header.map((cell, index) => (
            <th key={index} scope="col">
              {inline(cell.tokens)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row, index) => (
          <tr key={index}>
            {row.map((cell, column) => (
              <td key={column}>{inline(cell.tokens)}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function inline(tokens: readonly Token[]): ComponentChildren {
  return tokens.map(asMarked).map((token, index) => {
    switch (token.type) {
      case 'strong':
        return <strong key={index}>{inline(token.tokens)}</strong>;
      case 'em':
        return <em key={index}>{inline(token.tokens)}</em>;
      case 'del':
        return <del key={index}>{inline(token.tokens)}</del>;
      case 'codespan':
        return <code key={index}>{token.text}</code>;
      case 'br':
        return <br key={index} />;
      case 'link':
        return link(token.href, inline(token.tokens), index);
      case 'image':
        return link(token.href, token.text || token.href, index);
      case 'checkbox':
        return token.checked ? '☑ ' : '☐ ';
      case 'text':
        return token.tokens === undefined ? token.text : inline(token.tokens);
      case 'escape':
        return token.text;
      default:
        return token.raw;
    }
  });
}

function link(href: string, label: ComponentChildren, key: number): ComponentChildren {
  if (!/^https?:\/\//i.test(href)) return label;
  return (
    <a key={key} href={href} target="_blank" rel="noopener noreferrer nofollow">
      {label}
    </a>
  );
}
