import { randomUUID } from 'node:crypto';

const ACCEPTED = /^[\x21-\x7e]{1,128}$/;

/** The client's `x-request-id` when it is 1 to 128 visible ASCII characters, else a new one. */
export function requestIdFrom(header: string | readonly string[] | undefined): string {
  const given = typeof header === 'string' ? header : header?.[0];
  return given !== undefined && ACCEPTED.test(given) ? given : newId();
}

/** A random identity: 32 hexadecimal digits, 122 random bits. */
export function newId(): string {
  return randomUUID().replaceAll('-', '');
}
