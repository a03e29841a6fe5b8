import { ChatTemplateError } from './chat-template-error.js';
import {
  Environment,
  Interpreter,
  type JinjaEnvironment,
  type JinjaProgram,
  type JinjaValue,
} from './jinja-runtime.js';
import { strftime } from './strftime.js';

export interface RenderLimits {
  /** Longest prompt, and longest text on the way to it, in UTF-16 code units. */
  readonly maxCharacters: number;
  /** Longest time of one rendering: it holds the thread. */
  readonly maxMs: number;
}

/** Chosen: far over any loop of a chat template, little memory. */
const MAX_RANGE = 100_000;
/** How many expressions are evaluated between two looks at the clock. */
const STEPS_PER_CLOCK_LOOK = 1024;

/** Variables of every template, with the names that a request may not take over. */
export const TEMPLATE_GLOBALS: ReadonlySet<string> = new Set([
  'true',
  'false',
  'none',
  'True',
  'False',
  'None',
  'range',
  'raise_exception',
  'strftime_now',
]);

/** Runs a parsed template within bounds: templates are programs, and come with the model from somewhere. */
export function renderWithin(
  program: JinjaProgram,
  variables: Readonly<Record<string, unknown>>,
  limits: RenderLimits,
  now: () => Date,
): string {
  const environment = new Environment();
  for (const [name, value] of Object.entries({ ...globals(now), ...variables })) environment.set(name, value);
  const rendered = new BoundedInterpreter(environment, limits).run(program).value;
  if (typeof rendered !== 'string') throw new ChatTemplateError('template', 'The chat template does not give a text.');
  return rendered;
}

class BoundedInterpreter extends Interpreter {
  private steps = 0;
  private readonly startedMs = performance.now();

  constructor(
    environment: JinjaEnvironment,
    private readonly limits: RenderLimits,
  ) {
    super(environment);
  }

  override evaluate(statement: unknown, environment: JinjaEnvironment): JinjaValue {
    if (++this.steps % STEPS_PER_CLOCK_LOOK === 0 && performance.now() - this.startedMs > this.limits.maxMs) {
      throw new ChatTemplateError('too-large', `The chat template took longer than ${this.limits.maxMs} ms.`);
    }
    const value = super.evaluate(statement, environment);
    if (value.type === 'StringValue' && (value.value as string).length > this.limits.maxCharacters) {
      const bound = this.limits.maxCharacters;
      throw new ChatTemplateError('too-large', `The chat gives a prompt of more than ${bound} characters.`);
    }
    return value;
  }
}

function globals(now: () => Date): Record<string, unknown> {
  return {
    true: true,
    True: true,
    false: false,
    False: false,
    none: null,
    None: null,
    range,
    strftime_now: (format: string) => strftime(now(), format),
    raise_exception: (message: unknown) => {
      throw new ChatTemplateError('raised', String(message));
    },
  };
}

/** Python's `range`, with a bound. */
function range(first: number, second?: number, step = 1): number[] {
  const [start, stop] = second === undefined ? [0, first] : [first, second];
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (!(length <= MAX_RANGE))
    throw new ChatTemplateError('template', `The chat template counts to more than ${MAX_RANGE}.`);
  return Array.from({ length }, (_, i) => start + i * step);
}
