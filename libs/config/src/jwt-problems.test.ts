import { expect, it } from 'vitest';
import { jwtProblems } from './jwt-problems.js';
import { hydraSchema } from './schema.js';

function problems(...issuers: object[]): string[] {
  const jwt = issuers.map((issuer, i) => ({ issuer: `https://issuer-${i}.example`, audience: 'hydra', ...issuer }));
  return hydraSchema.parse({ auth: { jwt } }).auth.jwt.flatMap(jwtProblems);
}

it.each([
  [{ jwksUri: 'https://issuer.example/keys' }],
  [{ jwksUri: 'http://127.0.0.1:9000/keys' }],
  [{ jwksUri: 'http://[::1]/keys' }],
  [{ jwksFile: 'keys.json' }],
])('given %j, then there is nothing to say', (issuer) => {
  expect(problems(issuer)).toEqual([]);
});

it.each<[object, RegExp]>([
  [{}, /^auth\.jwt\[0\]: expected either jwksUri or jwksFile$/],
  [{ jwksUri: 'https://issuer.example/keys', jwksFile: 'keys.json' }, /expected either/],
  [{ jwksUri: 'http://issuer.example/keys' }, /^auth\.jwt\[0\]\.jwksUri: expected an https URL/],
  [{ jwksUri: 'http://localhost.example.org/keys' }, /expected an https URL/],
  [{ jwksUri: 'file:///etc/passwd' }, /expected an https URL/],
])('given %j, then it is named', (issuer, sentence) => {
  expect(problems(issuer)).toEqual([expect.stringMatching(sentence)]);
});

it('given an issuer twice, or an algorithm with a shared secret, then neither is taken', () => {
  const issuer = { issuer: 'https://same.example', jwksFile: 'keys.json' };
  expect(problems(issuer, issuer)).toEqual([expect.stringMatching(/^auth\.jwt\[1\]\.issuer: .*stands twice$/)]);
  expect(() => problems({ jwksFile: 'keys.json', algorithms: ['HS256'] })).toThrow();
  expect(() => problems({ jwksFile: 'keys.json', algorithms: ['none'] })).toThrow();
});
