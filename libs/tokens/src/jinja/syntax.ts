import * as jinja from '@huggingface/jinja';
import { preparedSource } from './source.js';
import { preparedTokens, type Token } from './tokens.js';

/*
 * The syntax tree of @huggingface/jinja, with its types: its declarations import each other without file extensions,
 * which Node's module resolution does not follow, so they all would be `any`.
 */

/** One statement or expression. A text between tags is a StringLiteral. */
export type Node =
  | { readonly type: 'Program'; readonly body: readonly Node[] }
  | { readonly type: 'Comment' | 'Break' | 'Continue' }
  | { readonly type: 'If'; readonly test: Node; readonly body: readonly Node[]; readonly alternate: readonly Node[] }
  | ForNode
  | SetNode
  | MacroNode
  | CallStatementNode
  | { readonly type: 'FilterStatement'; readonly filter: Node; readonly body: readonly Node[] }
  | IdentifierNode
  | { readonly type: 'IntegerLiteral' | 'FloatLiteral'; readonly value: number }
  | { readonly type: 'StringLiteral'; readonly value: string }
  | { readonly type: 'ArrayLiteral' | 'TupleLiteral'; readonly value: readonly Node[] }
  | { readonly type: 'ObjectLiteral'; readonly value: ReadonlyMap<Node, Node> }
  | MemberNode
  | SliceNode
  | CallNode
  | KeywordNode
  | { readonly type: 'SpreadExpression' | 'KeywordSpreadExpression'; readonly argument: Node }
  | { readonly type: 'UnaryExpression'; readonly operator: Token; readonly argument: Node }
  | BinaryNode
  | { readonly type: 'FilterExpression'; readonly operand: Node; readonly filter: Node }
  | { readonly type: 'TestExpression'; readonly operand: Node; readonly negate: boolean; readonly test: IdentifierNode }
  | { readonly type: 'SelectExpression'; readonly lhs: Node; readonly test: Node }
  | { readonly type: 'Ternary'; readonly condition: Node; readonly trueExpr: Node; readonly falseExpr: Node };

export interface ForNode {
  readonly type: 'For';
  readonly loopvar: Node;
  /** A SelectExpression is a loop with a condition. */
  readonly iterable: Node;
  readonly body: readonly Node[];
  readonly defaultBlock: readonly Node[];
}

export interface SetNode {
  readonly type: 'Set';
  readonly assignee: Node;
  /** null: the body's text is the value. */
  readonly value: Node | null;
  readonly body: readonly Node[];
}

export interface MacroNode {
  readonly type: 'Macro';
  readonly name: IdentifierNode;
  readonly args: readonly (IdentifierNode | KeywordNode)[];
  readonly body: readonly Node[];
}

export interface CallStatementNode {
  readonly type: 'CallStatement';
  readonly call: CallNode;
  readonly callerArgs: readonly (IdentifierNode | KeywordNode)[] | null;
  readonly body: readonly Node[];
}

export interface IdentifierNode {
  readonly type: 'Identifier';
  readonly value: string;
}

export interface MemberNode {
  readonly type: 'MemberExpression';
  readonly object: Node;
  readonly property: Node;
  /** Whether it stands in brackets. */
  readonly computed: boolean;
}

export interface SliceNode {
  readonly type: 'SliceExpression';
  readonly start?: Node;
  readonly stop?: Node;
  readonly step?: Node;
}

export interface CallNode {
  readonly type: 'CallExpression';
  readonly callee: Node;
  readonly args: readonly Node[];
}

export interface KeywordNode {
  readonly type: 'KeywordArgumentExpression';
  readonly key: IdentifierNode;
  readonly value: Node;
}

export interface BinaryNode {
  readonly type: 'BinaryExpression';
  readonly operator: Token;
  readonly left: Node;
  readonly right: Node;
}

/**
 * Parses with the white space rules of chat templates.
 * @throws Error that says what the parser did not expect
 */
export function parseTemplate(source: string): Node {
  const options = { lstrip_blocks: true, trim_blocks: true };
  const tokens = (jinja.tokenize as (text: string, given: object) => Token[])(preparedSource(source), options);
  try {
    return (jinja.parse as (tokens: readonly Token[]) => Node)(preparedTokens(tokens));
  } catch (error) {
    // The parser reads past its last token where a block or bracket is left open.
    if (error instanceof TypeError) throw new SyntaxError('Unexpected end of template', { cause: error });
    throw error;
  }
}
