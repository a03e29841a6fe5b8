import { Arguments } from './arguments.js';
import type { RenderBounds } from './bounds.js';
import { callable, failIfUndefined, isHashable } from './compare.js';
import type { FilterContext } from './filter.js';
import { filters } from './filters.js';
import { getAttribute, getItem, slice } from './members.js';
import { calculate, compares, isComparison, negate } from './operators.js';
import type { Scope } from './scope.js';
import { pathParts } from './sequence-filters.js';
import type { BinaryNode, CallNode, IdentifierNode, MemberNode, Node } from './syntax.js';
import { tests } from './tests.js';
import { CHAINED, EMPTY_TUPLE, NEGATED_TEST, TEST, TUPLE_OF_ONE } from './tokens.js';
import { Float, fail, isDict, isTrue, iterate, Tuple, typeName, Undefined, type Value } from './values.js';

/** Evaluates expressions with the rules of Python and jinja2. */
export class Expressions implements FilterContext {
  constructor(readonly bounds: RenderBounds) {}

  /** @throws TemplateRuntimeError where Python would raise, ChatTemplateError at a bound */
  evaluate(node: Node, scope: Scope): Value {
    this.bounds.step();
    switch (node.type) {
      case 'StringLiteral':
      case 'IntegerLiteral':
        return node.value;
      case 'FloatLiteral':
        return new Float(node.value);
      case 'ArrayLiteral':
        return node.value.map((item) => this.evaluate(item, scope));
      case 'TupleLiteral':
        return new Tuple(node.value.map((item) => this.evaluate(item, scope)));
      case 'ObjectLiteral':
        return new Map([...node.value].map(([key, value]) => [this.key(key, scope), this.evaluate(value, scope)]));
      case 'Identifier':
        return node.value === EMPTY_TUPLE ? new Tuple([]) : scope.get(node.value);
      case 'MemberExpression':
        return this.member(node, scope);
      case 'CallExpression':
        return this.call(node, scope);
      case 'UnaryExpression':
        if (node.operator.value === 'not') return !isTrue(this.evaluate(node.argument, scope));
        return negate(this.evaluate(node.argument, scope), node.operator.value);
      case 'BinaryExpression':
        return this.binary(node, scope);
      case 'FilterExpression':
        return this.filtered(this.evaluate(node.operand, scope), node.filter, scope);
      case 'TestExpression': {
        const value = this.evaluate(node.operand, scope);
        return this.test(node.test.value, value, new Arguments(node.test.value, [], new Map())) !== node.negate;
      }
      case 'SelectExpression':
        if (isTrue(this.evaluate(node.test, scope))) return this.evaluate(node.lhs, scope);
        return new Undefined('the inline if-expression is false and has no else');
      case 'Ternary':
        return this.evaluate(isTrue(this.evaluate(node.condition, scope)) ? node.trueExpr : node.falseExpr, scope);
      default:
        return fail(`${node.type} is no expression`);
    }
  }

  filter(name: string, value: Value, given: Arguments): Value {
    const filter = filters.get(name) ?? fail(`No filter named '${name}'.`);
    const result = filter(value, given, this);
    if (typeof result === 'string') this.bounds.characters(result.length);
    return result;
  }

  test(name: string, value: Value, given: Arguments): boolean {
    const test = tests.get(name) ?? fail(`No test named '${name}'.`);
    return test(value, given, this);
  }

  attribute(value: Value, name: string): Value {
    return getAttribute(value, name, this.bounds);
  }

  attributePath(value: Value, path: Value): Value {
    return pathParts(path).reduce<Value>((item, part) => getItem(item, part, this.bounds), value);
  }

  protected filtered(value: Value, filter: Node, scope: Scope): Value {
    const callee = filter.type === 'CallExpression' ? filter.callee : filter;
    const name = callee.type === 'Identifier' ? callee.value : fail('a filter is a name');
    const given =
      filter.type === 'CallExpression'
        ? this.evaluateArguments(filter.args, scope, name)
        : new Arguments(name, [], new Map());
    if (name === TUPLE_OF_ONE) return new Tuple([value]);
    if (name.startsWith(TEST)) return this.test(name.slice(TEST.length), value, given);
    if (name.startsWith(NEGATED_TEST)) return !this.test(name.slice(NEGATED_TEST.length), value, given);
    return this.filter(name, value, given);
  }

  protected evaluateArguments(nodes: readonly Node[], scope: Scope, callee = 'call'): Arguments {
    const positional: Value[] = [];
    const keywords = new Map<string, Value>();
    for (const node of nodes) {
      if (node.type === 'SpreadExpression') positional.push(...iterate(this.evaluate(node.argument, scope)));
      else if (node.type === 'KeywordArgumentExpression') {
        keywords.set(node.key.value, this.evaluate(node.value, scope));
      } else if (node.type === 'KeywordSpreadExpression') {
        const given = this.evaluate(node.argument, scope);
        if (!isDict(given)) return fail(`argument after ** must be a mapping, not ${typeName(given)}`);
        for (const [name, value] of given) keywords.set(String(name), value);
      } else {
        positional.push(this.evaluate(node, scope));
      }
    }
    return new Arguments(callee, positional, keywords);
  }

  private call(node: CallNode, scope: Scope): Value {
    const called = callable(this.evaluate(node.callee, scope));
    const { positional, keywords } = this.evaluateArguments(node.args, scope);
    const result = called.call(positional, keywords);
    if (typeof result === 'string') this.bounds.characters(result.length);
    return result;
  }

  private key(node: Node, scope: Scope): Value {
    const key = this.evaluate(node, scope);
    return isHashable(key) ? key : fail(`unhashable type: '${typeName(key)}'`);
  }

  private member(node: MemberNode, scope: Scope): Value {
    const object = this.evaluate(node.object, scope);
    const { property } = node;
    if (property.type === 'SliceExpression') {
      const place = (bound: Node | undefined) => (bound === undefined ? null : this.evaluate(bound, scope));
      return slice(object, place(property.start), place(property.stop), place(property.step));
    }
    failIfUndefined(object);
    if (!node.computed && property.type === 'Identifier') return getAttribute(object, property.value, this.bounds);
    return getItem(object, this.evaluate(property as IdentifierNode, scope), this.bounds);
  }

  private binary(node: BinaryNode, scope: Scope): Value {
    const operator = node.operator.value;
    if (operator === 'and' || operator === 'or') {
      const left = this.evaluate(node.left, scope);
      return isTrue(left) === (operator === 'or') ? left : this.evaluate(node.right, scope);
    }
    if (isComparison(plain(operator))) return this.comparison(node, scope).holds;
    return calculate(operator, this.evaluate(node.left, scope), this.evaluate(node.right, scope), this.bounds);
  }

  /** `a < b < c` holds when both do, and looks at b once. */
  private comparison(node: BinaryNode, scope: Scope): { readonly holds: boolean; readonly last: Value } {
    const operator = node.operator.value;
    let left: Value;
    if (operator.startsWith(CHAINED) && node.left.type === 'BinaryExpression') {
      const earlier = this.comparison(node.left, scope);
      if (!earlier.holds) return earlier;
      left = earlier.last;
    } else {
      left = this.evaluate(node.left, scope);
    }
    const right = this.evaluate(node.right, scope);
    return { holds: compares(plain(operator), left, right, this.bounds), last: right };
  }
}

function plain(operator: string): string {
  return operator.startsWith(CHAINED) ? operator.slice(CHAINED.length) : operator;
}
