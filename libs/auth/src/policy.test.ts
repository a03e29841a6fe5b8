import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide, matches, type Policy } from './policy.js';

const policy = (given: Partial<Policy>): Policy => ({
  ...{ id: 'p', role: 'intern', actions: ['use'], models: ['*'], caps: {} },
  ...given,
});
const principal = (...roles: string[]) => ({ roles, tenantId: 'acme' });

describe('decide', () => {
  it('given no stored policy, then the built-in roles may do their part, and others nothing', () => {
    const may = (role: string) =>
      (['use', 'deploy', 'administer'] as const).filter(
        (action) => decide(principal(role), [], action, 'any/model').isAllowed,
      );
    expect({ user: may('user'), admin: may('admin'), operator: may('operator'), intern: may('intern') }).toEqual({
      user: ['use'],
      admin: ['use', 'deploy', 'administer'],
      operator: ['use', 'deploy', 'administer'],
      intern: [],
    });
    expect(decide(principal(), [], 'use', 'm').isAllowed).toBe(false);
  });

  it('given a policy that names a built-in role, then it replaces what the role could do', () => {
    const policies = [policy({ role: 'user', models: ['small-*'] })];
    expect(decide(principal('user'), policies, 'use', 'small-1').isAllowed).toBe(true);
    expect(decide(principal('user'), policies, 'use', 'large-1').isAllowed).toBe(false);
  });

  it('given policies of another tenant or role or action, then they give nothing', () => {
    const others = [
      policy({ tenantId: 'other' }),
      policy({ role: 'boss' }),
      policy({ actions: ['deploy'], tenantId: 'acme' }),
    ];
    expect(decide(principal('intern'), others, 'use', 'm').isAllowed).toBe(false);
    expect(decide(principal('intern'), [policy({ tenantId: 'acme' })], 'use', 'm').isAllowed).toBe(true);
  });

  it('given several that allow it, then the most generous cap counts, and one without a cap lifts it', () => {
    const policies = [
      policy({ caps: { maxTokens: 100, choices: 1 } }),
      policy({ caps: { maxTokens: 200 } }),
      policy({ models: ['other'], caps: { maxTokens: 900 } }),
    ];
    expect(decide(principal('intern'), policies, 'use', 'm')).toEqual({ isAllowed: true, caps: { maxTokens: 200 } });
  });
});

describe('matches', () => {
  it('given any pattern and text, then it agrees with a regular expression', () =>
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), maxLength: 8 }),
        fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 10 }),
        (pattern, text) => {
          const expression = pattern.replace(/[.]/g, '\\.').replaceAll('*', '.*');
          expect(matches(pattern, text)).toBe(new RegExp(`^${expression}$`, 's').test(text));
        },
      ),
      { numRuns: 2_000 },
    ));

  it('given a pattern made to blow up regular expressions, then it answers', () => {
    expect(matches(`${'*a'.repeat(50)}b`, 'a'.repeat(10_000))).toBe(false);
  });
});
