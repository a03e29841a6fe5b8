import { RenderBounds, type RenderLimits } from './bounds.js';
import { templateGlobals } from './globals.js';
import { TemplateInterpreter } from './interpreter.js';
import { Scope } from './scope.js';
import type { Node } from './syntax.js';
import { toValue } from './values.js';

/**
 * Runs a parsed template within bounds, as jinja2 runs it in transformers.
 * @throws TemplateRuntimeError where jinja2 would raise, ChatTemplateError where the template refuses or a bound is reached
 */
export function renderWithin(
  program: Node,
  variables: Readonly<Record<string, unknown>>,
  limits: RenderLimits,
  now: () => Date,
): string {
  const bounds = new RenderBounds(limits);
  const scope = new Scope();
  for (const [name, value] of Object.entries(templateGlobals(now, bounds))) scope.set(name, value);
  for (const [name, value] of Object.entries(variables)) if (value !== undefined) scope.set(name, toValue(value));
  return new TemplateInterpreter(bounds).render(program, scope);
}
