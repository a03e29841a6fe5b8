import { callable } from './compare.js';
import { Expressions } from './expressions.js';
import { macroParameters } from './macro-parameters.js';
import { print } from './print.js';
import { Scope } from './scope.js';
import type { CallStatementNode, ForNode, KeywordNode, MacroNode, Node, SetNode } from './syntax.js';
import { WITH_BLOCK } from './tokens.js';
import { Attributes, Callable, fail, isTrue, iterate, orElse, typeName, Undefined, type Value } from './values.js';

type LoopExit = 'break' | 'continue' | undefined;

/** What a block wrote, and whether it left its loop. */
interface Written {
  readonly text: string;
  readonly exit: LoopExit;
}

/** Runs the statements of a template with the rules of jinja2. */
export class TemplateInterpreter extends Expressions {
  /** @throws TemplateRuntimeError, ChatTemplateError */
  render(program: Node, scope: Scope): string {
    return program.type === 'Program' ? this.block(program.body, scope).text : fail('this is no template');
  }

  private block(nodes: readonly Node[], scope: Scope): Written {
    let text = '';
    for (const node of nodes) {
      const written = this.statement(node, scope);
      text += written.text;
      this.bounds.characters(text.length);
      if (written.exit !== undefined) return { text, exit: written.exit };
    }
    return { text, exit: undefined };
  }

  private statement(node: Node, scope: Scope): Written {
    this.bounds.step();
    switch (node.type) {
      case 'If':
        return this.block(isTrue(this.evaluate(node.test, scope)) ? node.body : node.alternate, scope);
      case 'For':
        return this.loop(node, scope);
      case 'Set':
        this.assign(node, scope);
        return wrote('');
      case 'Macro':
        scope.set(node.name.value, this.macro(node.name.value, node.args, node.body, scope));
        return wrote('');
      case 'CallStatement':
        return this.callStatement(node, scope);
      case 'FilterStatement': {
        const { text, exit } = this.block(node.body, new Scope(scope));
        return { text: print(this.filtered(text, node.filter, scope), this.bounds), exit };
      }
      case 'Break':
        return { text: '', exit: 'break' };
      case 'Continue':
        return { text: '', exit: 'continue' };
      case 'Comment':
        return wrote('');
      default:
        return wrote(print(this.evaluate(node, scope), this.bounds));
    }
  }

  private loop(node: ForNode, outer: Scope): Written {
    const items = this.loopItems(node, outer);
    let text = '';
    for (const [index, item] of items.entries()) {
      const scope = new Scope(outer);
      this.unpack(node.loopvar, item, scope);
      scope.set('loop', loopVariable(items, index));
      const written = this.block(node.body, scope);
      text += written.text;
      this.bounds.characters(text.length);
      if (written.exit === 'break') break;
    }
    if (items.length > 0) return wrote(text);
    return this.block(node.defaultBlock, new Scope(outer));
  }

  private loopItems({ iterable, loopvar }: ForNode, outer: Scope): readonly Value[] {
    if (iterable.type !== 'SelectExpression') return iterate(this.evaluate(iterable, outer));
    return iterate(this.evaluate(iterable.lhs, outer)).filter((item) => {
      const scope = new Scope(outer);
      this.unpack(loopvar, item, scope);
      return isTrue(this.evaluate(iterable.test, scope));
    });
  }

  private assign(node: SetNode, scope: Scope): void {
    if (node.value !== null) this.unpack(node.assignee, this.evaluate(node.value, scope), scope);
    else this.unpack(node.assignee, this.block(node.body, new Scope(scope)).text, scope);
  }

  /** Sets a name, the names of a tuple, or an attribute of a namespace. */
  private unpack(target: Node, value: Value, scope: Scope): void {
    if (target.type === 'Identifier') {
      scope.set(target.value, value);
    } else if (target.type === 'TupleLiteral') {
      const items = iterate(value);
      if (items.length !== target.value.length) {
        fail(`${items.length} values to unpack, ${target.value.length} were expected`);
      }
      for (const [i, name] of target.value.entries()) this.unpack(name, items[i]!, scope);
    } else if (target.type === 'MemberExpression' && target.property.type === 'Identifier') {
      const object = this.evaluate(target.object, scope);
      if (!(object instanceof Attributes) || object.kind !== 'namespace') {
        fail(`cannot assign attribute on non-namespace object '${typeName(object)}'`);
      }
      (object as Attributes).entries.set(target.property.value, value);
    } else {
      fail(`cannot assign to ${target.type}`);
    }
  }

  private callStatement(node: CallStatementNode, scope: Scope): Written {
    const { callee } = node.call;
    if (callee.type === 'Identifier' && callee.value === WITH_BLOCK) {
      const inner = new Scope(scope);
      for (const parameter of (node.callerArgs ?? []) as readonly KeywordNode[]) {
        inner.set(parameter.key.value, this.evaluate(parameter.value, scope));
      }
      return this.block(node.body, inner);
    }
    const caller = this.macro('caller', node.callerArgs ?? [], node.body, scope);
    const { positional, keywords } = this.evaluateArguments(node.call.args, scope);
    const called = callable(this.evaluate(callee, scope));
    return wrote(print(called.call(positional, new Map([...keywords, ['caller', caller]])), this.bounds));
  }

  private macro(name: string, parameters: MacroNode['args'], body: readonly Node[], outer: Scope): Callable {
    return new Callable(name, (positional, keywords) => {
      const scope = new Scope(outer);
      const bound = macroParameters(name, parameters, positional, keywords);
      for (const [parameter, value] of bound.given) scope.set(parameter, value);
      for (const parameter of bound.missing) scope.set(parameter.name, this.fallback(parameter, scope));
      return this.block(body, scope).text;
    });
  }

  private fallback({ name, node }: { name: string; node: Node | undefined }, scope: Scope): Value {
    return node === undefined ? new Undefined(`parameter '${name}' was not provided`) : this.evaluate(node, scope);
  }
}

function wrote(text: string): Written {
  return { text, exit: undefined };
}

/** jinja2's `loop`. */
function loopVariable(items: readonly Value[], index: number): Attributes {
  const count = items.length;
  const entries = new Map<string, Value>([
    ['index', index + 1],
    ['index0', index],
    ['revindex', count - index],
    ['revindex0', count - index - 1],
    ['first', index === 0],
    ['last', index === count - 1],
    ['length', count],
    ['depth', 1],
    ['depth0', 0],
    ['previtem', orElse(items[index - 1], () => new Undefined('there is no previous item'))],
    ['nextitem', orElse(items[index + 1], () => new Undefined('there is no next item'))],
    [
      'cycle',
      new Callable('cycle', (values) =>
        orElse(values[index % values.length], () => fail('no items for cycling given')),
      ),
    ],
  ]);
  return new Attributes('loop', entries);
}
