import type { HydraConfig } from './schema.js';

type JwtIssuers = HydraConfig['auth']['jwt'];

/** What is wrong with an issuer that no single value shows. */
export function jwtProblems(issuer: JwtIssuers[number], i: number, all: JwtIssuers): string[] {
  const where = `auth.jwt[${i}]`;
  const problems: string[] = [];
  if (all.findIndex((other) => other.issuer === issuer.issuer) !== i) {
    problems.push(`${where}.issuer: ${JSON.stringify(issuer.issuer)} stands twice`);
  }
  const { jwksUri, jwksFile } = issuer;
  if ((jwksUri === undefined) === (jwksFile === undefined)) {
    problems.push(`${where}: expected either jwksUri or jwksFile`);
  }
  if (jwksUri !== undefined && !/^(https:\/\/|http:\/\/(localhost|127\.0\.0\.1|\[::1\])[:/])/.test(jwksUri)) {
    problems.push(`${where}.jwksUri: expected an https URL, got ${JSON.stringify(jwksUri)}`);
  }
  return problems;
}
