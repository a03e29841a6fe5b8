import type { MacroNode, Node } from './syntax.js';
import { fail, type Keywords, orElse, Tuple, type Value } from './values.js';

/** The parameters of one call of a macro. */
export interface MacroParameters {
  readonly given: readonly (readonly [name: string, value: Value])[];
  /** With the node of their default, where they have one; evaluated in the macro's scope, in order. */
  readonly missing: readonly { readonly name: string; readonly node: Node | undefined }[];
}

/**
 * Which parameter gets which argument, by place and by name; what is left over is `varargs`, `kwargs` and `caller`.
 * @throws TemplateRuntimeError for an argument that is given twice
 */
export function macroParameters(
  macro: string,
  parameters: MacroNode['args'],
  positional: readonly Value[],
  keywords: Keywords,
): MacroParameters {
  const rest = new Map(keywords);
  const given: [string, Value][] = [];
  const missing: { name: string; node: Node | undefined }[] = [];
  for (const [i, parameter] of parameters.entries()) {
    const name = parameter.type === 'Identifier' ? parameter.value : parameter.key.value;
    const named = rest.get(name);
    if (positional[i] !== undefined && named !== undefined) {
      fail(`macro '${macro}' got multiple values for argument '${name}'`);
    }
    rest.delete(name);
    const value = orElse(positional[i], () => named);
    if (value !== undefined) given.push([name, value]);
    else missing.push({ name, node: parameter.type === 'Identifier' ? undefined : parameter.value });
  }
  const caller = rest.get('caller');
  if (caller !== undefined) given.push(['caller', caller]);
  rest.delete('caller');
  given.push(['varargs', new Tuple(positional.slice(parameters.length))], ['kwargs', rest]);
  return { given, missing };
}
