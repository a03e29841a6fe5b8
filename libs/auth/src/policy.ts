import { BUILT_IN_ROLES, type Principal } from './principal.js';

export const MODEL_ACTIONS = ['use', 'deploy', 'administer'] as const;
export type ModelAction = (typeof MODEL_ACTIONS)[number];

/** Upper bounds on a request; absent means none. */
export interface Caps {
  /** Tokens of prompt and output together. */
  readonly contextTokens?: number;
  /** `max_tokens` of a choice. */
  readonly maxTokens?: number;
  /** `n`. */
  readonly choices?: number;
  readonly priority?: number;
}

/** What a role may do with some models. */
export interface Policy {
  readonly id: string;
  /** Absent: in every tenant. */
  readonly tenantId?: string;
  readonly role: string;
  readonly actions: readonly ModelAction[];
  /** Patterns of model ids; `*` stands for any characters. */
  readonly models: readonly string[];
  readonly caps: Caps;
}

export type PolicyDecision = { readonly isAllowed: true; readonly caps: Caps } | { readonly isAllowed: false };

type Grant = Pick<Policy, 'actions' | 'models' | 'caps'>;

const EVERYTHING: Grant = { actions: MODEL_ACTIONS, models: ['*'], caps: {} };

/** What the built-in roles may do until a stored policy names the role: it replaces these. */
const BUILT_IN: ReadonlyMap<string, readonly Grant[]> = new Map([
  [BUILT_IN_ROLES.operator, [EVERYTHING]],
  [BUILT_IN_ROLES.admin, [EVERYTHING]],
  [BUILT_IN_ROLES.user, [{ ...EVERYTHING, actions: ['use'] }]],
]);
const DENIED: PolicyDecision = { isAllowed: false };
const CAP_NAMES = ['contextTokens', 'maxTokens', 'choices', 'priority'] as const;

/**
 * Whether one of the principal's roles may do it. Several policies that allow it add up: the most generous cap counts.
 * @param policies  those stored for the principal's tenant and for every tenant
 */
export function decide(
  principal: Pick<Principal, 'roles' | 'tenantId'>,
  policies: readonly Policy[],
  action: ModelAction,
  modelId: string,
): PolicyDecision {
  const own = policies.filter(({ tenantId }) => tenantId === undefined || tenantId === principal.tenantId);
  const granted: Caps[] = [];
  for (const role of principal.roles) {
    const stored = own.filter((policy) => policy.role === role);
    const held = stored.length > 0 ? stored : (BUILT_IN.get(role) ?? []);
    for (const { actions, models, caps } of held) {
      if (actions.includes(action) && models.some((it) => matches(it, modelId))) granted.push(caps);
    }
  }
  return granted.length === 0 ? DENIED : { isAllowed: true, caps: mostGenerous(granted) };
}

/** In time linear in the text for each `*`, whatever the pattern. */
export function matches(pattern: string, text: string): boolean {
  if (pattern === '*') return true;
  const parts = pattern.split('*');
  const first = parts[0] as string; // split gives at least one
  if (parts.length === 1) return pattern === text;
  const last = parts.at(-1) as string;
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
  const end = text.length - last.length;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

function mostGenerous(all: readonly Caps[]): Caps {
  if (all.length === 1) return all[0] as Caps;
  const caps: { -readonly [Name in keyof Caps]: number } = {};
  for (const name of CAP_NAMES) {
    const values = all.map((one) => one[name]);
    if (values.every((value) => value !== undefined)) caps[name] = Math.max(...values);
  }
  return caps;
}
