/** A token of @huggingface/jinja. */
export interface Token {
  readonly value: string;
  readonly type: string;
}

/** Names that no template can write, for what the parser has no syntax for. */
export const WITH_BLOCK = 'with block';
export const TUPLE_OF_ONE = 'tuple of one';
export const EMPTY_TUPLE = 'empty tuple';
/** Before the name of a test that has arguments: it reaches the tree as a filter. */
export const TEST = 'test ';
export const NEGATED_TEST = 'negated test ';
/** Before a comparison that goes on from the one before it; the tree has no parentheses to tell. */
export const CHAINED = 'chained ';

const ARGUMENT_STARTS = [
  'Identifier',
  'StringLiteral',
  'NumericLiteral',
  'OpenParen',
  'OpenSquareBracket',
  'OpenCurlyBracket',
];
/** Words after a test that are no argument of it. */
const NO_ARGUMENTS = ['else', 'or', 'and', 'if', 'in', 'not', 'is'];
const OPENING: Readonly<Record<string, string>> = {
  OpenParen: 'CloseParen',
  OpenSquareBracket: 'CloseSquareBracket',
  OpenCurlyBracket: 'CloseCurlyBracket',
};
const name = (value: string): Token => ({ value, type: 'Identifier' });

/** Writes what jinja2's syntax has and the parser has not in the syntax it has; see docs/decisions. */
export function preparedTokens(tokens: readonly Token[]): Token[] {
  return chains(withBlocks(tuples(testArguments(numbers(tokens)))));
}

/** `1_000`, `1e20` and `2.5e-7`: the tokenizer ends a number at its digits. */
function numbers(tokens: readonly Token[]): Token[] {
  const read: Token[] = [];
  for (let i = 0; i < tokens.length; i++) {
    let token = tokens[i]!;
    const following = tokens[i + 1];
    if (token.type === 'NumericLiteral' && following?.type === 'Identifier') {
      if (/^(_\d+)+$/.test(following.value)) {
        token = { ...token, value: token.value + following.value.replaceAll('_', '') };
        i++;
      } else if (/^e\d+$/i.test(following.value)) {
        token = { ...token, value: exponent(token.value, following.value.slice(1)) };
        i++;
      } else if (/^e$/i.test(following.value) && tokens[i + 3]?.type === 'NumericLiteral') {
        token = { ...token, value: exponent(token.value, tokens[i + 2]!.value + tokens[i + 3]!.value) };
        i += 3;
      }
    }
    read.push(token);
  }
  return read;
}

/** The parser takes what has a point for a float. */
function exponent(digits: string, power: string): string {
  return `${digits.includes('.') ? digits : `${digits}.`}e${power}`;
}

/** `x is divisibleby 2` and `x is in [1]` become filters, which bind as tests do and may have arguments. */
function testArguments(tokens: readonly Token[]): Token[] {
  const read: Token[] = [];
  for (let i = 0; i < tokens.length; i++) {
    const isTest = tokens[i]!.type === 'Identifier' && tokens[i]!.value === 'is' && read.at(-1)?.type !== 'Dot';
    const isNegated = isTest && tokens[i + 1]?.value === 'not';
    const at = i + (isNegated ? 2 : 1);
    const [test, first] = [tokens[at], tokens[at + 1]];
    if (!isTest || test?.type !== 'Identifier' || first === undefined || !isArgument(first)) {
      read.push(tokens[i]!);
      continue;
    }
    const end = argumentEnd(tokens, at + 1);
    const given = testArguments(tokens.slice(at + 1, end));
    const called = first.type === 'OpenParen' ? given : [paren('OpenParen', '('), ...given, paren('CloseParen', ')')];
    read.push({ value: '|', type: 'Pipe' }, name((isNegated ? NEGATED_TEST : TEST) + test.value), ...called);
    i = end - 1;
  }
  return read;
}

function isArgument(token: Token): boolean {
  return ARGUMENT_STARTS.includes(token.type) && !(token.type === 'Identifier' && NO_ARGUMENTS.includes(token.value));
}

function paren(type: string, value: string): Token {
  return { value, type };
}

/** Where an argument without parentheses ends: behind its members and calls; with them, behind the closing one. */
function argumentEnd(tokens: readonly Token[], start: number): number {
  const isCall = tokens[start]!.type === 'OpenParen';
  let at = pastBrackets(tokens, start);
  while (!isCall) {
    const type = tokens[at]?.type;
    if (type === 'Dot') at += 2;
    else if (type === 'OpenParen' || type === 'OpenSquareBracket') at = pastBrackets(tokens, at);
    else break;
  }
  return at;
}

function pastBrackets(tokens: readonly Token[], start: number): number {
  if (OPENING[tokens[start]!.type] === undefined) return start + 1;
  let depth = 0;
  for (let i = start; i < tokens.length; i++) {
    if (OPENING[tokens[i]!.type] !== undefined) depth++;
    else if (Object.values(OPENING).includes(tokens[i]!.type) && --depth === 0) return i + 1;
  }
  return tokens.length;
}

/** `(a,)`, `(a, b,)` and `()`, which the parser does not end. */
function tuples(tokens: readonly Token[]): Token[] {
  const read: Token[] = [];
  const open: { readonly isGroup: boolean; commas: number }[] = [];
  for (const token of tokens) {
    const previous = read.at(-1);
    if (OPENING[token.type] !== undefined) {
      open.push({ isGroup: token.type === 'OpenParen' && !isCallee(previous), commas: 0 });
    } else if (token.type === 'Comma' && open.length > 0) {
      open.at(-1)!.commas++;
    } else if (Object.values(OPENING).includes(token.type)) {
      const { isGroup, commas } = open.pop() ?? { isGroup: false, commas: 0 };
      if (isGroup && previous?.type === 'OpenParen') read.push(name(EMPTY_TUPLE));
      if (isGroup && previous?.type === 'Comma') {
        read.pop();
        if (commas === 1) read.push({ value: '|', type: 'Pipe' }, name(TUPLE_OF_ONE));
      }
    }
    read.push(token);
  }
  return read;
}

/** Whether a parenthesis behind it opens a call. */
function isCallee(token: Token | undefined): boolean {
  if (token?.type === 'Identifier')
    return !['in', 'not', 'and', 'or', 'if', 'elif', 'else', 'is', 'call'].includes(token.value);
  return token?.type === 'CloseParen' || token?.type === 'CloseSquareBracket';
}

/** `{% with a = 1 %}…{% endwith %}` becomes a call block of a name of ours, whose parameters are the variables. */
function withBlocks(tokens: readonly Token[]): Token[] {
  const read: Token[] = [];
  let isHead = false;
  for (const token of tokens) {
    const isTag = read.at(-1)?.type === 'OpenStatement';
    if (isTag && token.type === 'Identifier' && token.value === 'with') {
      read.push(name('call'), paren('OpenParen', '('));
      isHead = true;
    } else if (isHead && token.type === 'CloseStatement') {
      read.push(paren('CloseParen', ')'), name(WITH_BLOCK), paren('OpenParen', '('), paren('CloseParen', ')'), token);
      isHead = false;
    } else if (isTag && token.type === 'Identifier' && token.value === 'endwith') {
      read.push(name('endcall'));
    } else {
      read.push(token);
    }
  }
  return read;
}

/** Marks the second comparison of `a < b < c`; `(a < b) < c` compares the outcome. */
function chains(tokens: readonly Token[]): Token[] {
  const compared = [false];
  return tokens.map((token) => {
    if (OPENING[token.type] !== undefined) compared.push(false);
    else if (Object.values(OPENING).includes(token.type)) compared.pop();
    else if (token.type === 'ComparisonBinaryOperator') {
      const isChained = compared.at(-1) === true;
      compared[compared.length - 1] = true;
      return isChained ? { ...token, value: CHAINED + token.value } : token;
    } else if (endsComparison(token)) compared[compared.length - 1] = false;
    return token;
  });
}

function endsComparison({ type, value }: Token): boolean {
  if (type === 'Identifier') return ['and', 'or', 'not', 'if', 'else', 'elif'].includes(value);
  return ['Comma', 'Colon', 'Equals', 'OpenStatement', 'OpenExpression'].includes(type);
}
