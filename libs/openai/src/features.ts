import type { CallKind } from './call.js';
import { unsupportedParameter } from './validation-error.js';

/** A parameter that changes what an engine must be able to do. */
export interface Feature {
  readonly name: string;
  /** Where it belongs; `both` unless said otherwise. */
  readonly kind: CallKind | 'both';
  /** Whether HydraServe serves it at all; a worker may still refuse it (`ServedModel.unsupported_parameters`). */
  readonly supported: boolean;
  /** Values that ask for nothing: they are accepted everywhere. Null and absent always are. */
  isNeutral(value: unknown): boolean;
  /** The same, for people: `Accepted: 1.` */
  readonly neutral: string;
}

/**
 * Which parameters are served, by their public names, and which values of each are harmless. To serve one more: give it a
 * field in the request's schema, carry it in CompletionCall, and turn `supported` here.
 */
export const FEATURES: readonly Feature[] = [
  served('temperature', only(1)),
  served('top_p', only(1)),
  served('top_k', only(0, -1)),
  served('min_p', only(0)),
  served('repetition_penalty', only(1)),
  served('presence_penalty', only(0)),
  served('frequency_penalty', only(0)),
  served('logit_bias', emptyObject()),
  served('seed', nothing()),
  served('max_tokens', nothing()),
  served('max_completion_tokens', nothing(), 'chat'),
  served('min_tokens', only(0)),
  served('stop', emptyArray()),
  served('stop_token_ids', emptyArray()),
  served('ignore_eos', only(false)),
  served('n', only(1)),
  served('return_token_ids', only(false)),
  served('echo', only(false), 'completion'),
  served('logprobs', nothing(), 'completion'),
  served('logprobs', only(false), 'chat'),
  served('top_logprobs', only(0), 'chat'),
  served('prompt_logprobs', nothing()),
  served('cache_salt', nothing()),

  refused('best_of', only(1), 'completion'),
  refused('suffix', only(''), 'completion'),
  refused('echo', only(false), 'chat'),
  refused('return_tokens_as_token_ids', only(false)),
  refused('include_stop_str_in_output', only(false)),
  refused('skip_special_tokens', only(true)),
  refused('spaces_between_special_tokens', only(true)),
  refused('add_special_tokens', only(true), 'completion'),
  refused('truncate_prompt_tokens', nothing()),
  refused('allowed_token_ids', nothing()),
  refused('bad_words', emptyArray()),
  refused('use_beam_search', only(false)),
  refused('length_penalty', only(1)),

  refused('tools', emptyArray(), 'chat'),
  refused('tool_choice', only('none', 'auto'), 'chat'),
  refused('parallel_tool_calls', only(true, false), 'chat'),
  refused('functions', emptyArray(), 'chat'),
  refused('function_call', only('none', 'auto'), 'chat'),
  refused('response_format', textFormat()),
  refused('structured_outputs', nothing()),
  refused('guided_json', nothing()),
  refused('guided_regex', nothing()),
  refused('guided_choice', nothing()),
  refused('guided_grammar', nothing()),
  refused('modalities', onlyText(), 'chat'),
  refused('audio', nothing(), 'chat'),
  refused('prediction', nothing(), 'chat'),
  refused('reasoning_effort', only('none'), 'chat'),
  refused('verbosity', only('medium'), 'chat'),
  refused('web_search_options', nothing(), 'chat'),
  refused('service_tier', only('auto', 'default'), 'chat'),
  refused('store', only(false), 'chat'),
  refused('chat_template', nothing(), 'chat'),
  refused('chat_template_kwargs', emptyObject(), 'chat'),
  refused('add_generation_prompt', only(true), 'chat'),
  refused('continue_final_message', only(false), 'chat'),
  refused('documents', emptyArray(), 'chat'),
];

const BY_KIND: Readonly<Record<CallKind, ReadonlyMap<string, Feature>>> = {
  completion: indexed('completion'),
  chat: indexed('chat'),
};

/** Parameters of one route that are known and not served. */
export function unservedFeatures(kind: CallKind): readonly Feature[] {
  return FEATURES.filter((feature) => !feature.supported && belongsTo(feature, kind));
}

/**
 * Names of the parameters that ask for something.
 * @throws ApiError unsupported_parameter for the first one that is not served
 */
export function activeParameters(kind: CallKind, body: Readonly<Record<string, unknown>>): string[] {
  const active: string[] = [];
  for (const name of Object.keys(body)) {
    const value = body[name];
    const feature = value === null || value === undefined ? undefined : BY_KIND[kind].get(name);
    if (feature === undefined || feature.isNeutral(value)) continue;
    if (!feature.supported) throw unsupportedParameter(name, feature.neutral);
    active.push(name);
  }
  return active;
}

/** @throws ApiError unsupported_parameter when this model's workers refuse something the call asks for */
export function assertModelSupports(
  call: { readonly model: string; readonly activeParameters: readonly string[] },
  unsupportedParameters: readonly string[],
): void {
  const refusedName = call.activeParameters.find((name) => unsupportedParameters.includes(name));
  if (refusedName !== undefined) {
    throw unsupportedParameter(refusedName, `It is not supported with the model '${call.model}'.`);
  }
}

interface Neutral {
  readonly sentence: string;
  test(value: unknown): boolean;
}

function served(name: string, neutral: Neutral, kind: Feature['kind'] = 'both'): Feature {
  return { name, kind, supported: true, isNeutral: neutral.test, neutral: neutral.sentence };
}

function refused(name: string, neutral: Neutral, kind: Feature['kind'] = 'both'): Feature {
  return { name, kind, supported: false, isNeutral: neutral.test, neutral: neutral.sentence };
}

function only(...values: readonly (string | number | boolean)[]): Neutral {
  const listed = values.map((value) => JSON.stringify(value)).join(' or ');
  return { sentence: `Only ${listed} is accepted.`, test: (value) => values.some((neutral) => neutral === value) };
}

function nothing(): Neutral {
  return { sentence: 'Leave it out.', test: () => false };
}

function emptyArray(): Neutral {
  return {
    sentence: 'Only an empty array is accepted.',
    test: (value) => Array.isArray(value) && value.length === 0,
  };
}

function emptyObject(): Neutral {
  return {
    sentence: 'Only an empty object is accepted.',
    test: (value) => isObject(value) && Object.keys(value).length === 0,
  };
}

function textFormat(): Neutral {
  return {
    sentence: 'Only {"type": "text"} is accepted.',
    test: (value) => isObject(value) && 'type' in value && value.type === 'text',
  };
}

function onlyText(): Neutral {
  return {
    sentence: 'Only ["text"] is accepted.',
    test: (value) => Array.isArray(value) && value.length === 1 && value[0] === 'text',
  };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function belongsTo(feature: Feature, kind: CallKind): boolean {
  return feature.kind === 'both' || feature.kind === kind;
}

function indexed(kind: CallKind): ReadonlyMap<string, Feature> {
  return new Map(FEATURES.filter((feature) => belongsTo(feature, kind)).map((feature) => [feature.name, feature]));
}
