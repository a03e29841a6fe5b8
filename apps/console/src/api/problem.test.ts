import { describe, expect, it } from 'vitest';
import { Problem, problemOf, toProblem } from './problem.js';

describe('problemOf', () => {
  it("given the API's error shape, then all of it is kept", async () => {
    const body = { error: { message: 'Too many.', type: 'requests', param: null, code: 'rate_limit_exceeded' } };
    const headers = { 'x-request-id': 'abc', 'retry-after': '3' };
    const { facts } = await problemOf(new Response(JSON.stringify(body), { status: 429, headers }));
    expect(facts).toEqual({
      ...{ message: 'Too many.', code: 'rate_limit_exceeded', status: 429, requestId: 'abc', retryAfterS: 3 },
    });
  });

  it.each([['<html>Bad gateway</html>'], ['{"error":"text"}'], ['null'], ['']])(
    'given a body of something else on the way (%s), then the status tells',
    async (body) => {
      const { facts } = await problemOf(new Response(body, { status: 502, statusText: 'Bad Gateway' }));
      expect(facts).toMatchObject({ message: 'The gateway answered 502 Bad Gateway', code: '502', status: 502 });
    },
  );
});

describe('toProblem', () => {
  it('given a connection that failed, then it is a matter of the network; a problem stays what it is', () => {
    expect(toProblem(new TypeError('Failed to fetch')).facts.code).toBe('network');
    const problem = new Problem({ message: 'x', code: 'y' });
    expect(toProblem(problem)).toBe(problem);
  });
});
