import * as jinja from '@huggingface/jinja';

/*
 * The parts of @huggingface/jinja that are used below its `Template`, with their types: its declarations import each
 * other without file extensions, which Node's module resolution does not follow, so they all would be `any`.
 */

/** A parsed template. */
export interface JinjaProgram {
  readonly type: 'Program';
}

export interface JinjaValue {
  readonly type: string;
  readonly value: unknown;
}

/** Variables by name; declaring one twice throws. */
export interface JinjaEnvironment {
  set(name: string, value: unknown): JinjaValue;
}

export interface JinjaInterpreter {
  run(program: JinjaProgram): JinjaValue;
  /** Called for each statement and expression, inner ones too. */
  evaluate(statement: unknown, environment: JinjaEnvironment): JinjaValue;
}

export const Environment = jinja.Environment as new () => JinjaEnvironment;
export const Interpreter = jinja.Interpreter as new (environment: JinjaEnvironment) => JinjaInterpreter;

/** Parses with the white space rules of chat templates. */
export function parseTemplate(source: string): JinjaProgram {
  const tokens: unknown = jinja.tokenize(source, { lstrip_blocks: true, trim_blocks: true });
  return (jinja.parse as (tokens: unknown) => JinjaProgram)(tokens);
}
