import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';

/** Where `npm run build` puts the pages, seen from this file's compiled form. */
export const CONSOLE_FOLDER = fileURLToPath(new URL('../../../../console/', import.meta.url));

/** Nothing from elsewhere, nothing inline, and no markup made from text: an answer of a model can only ever be text. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const HEADERS = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

/** Names of these have a hash of what is in them. */
const HASHED = /[/\\]assets[/\\]/;

/**
 * Serves the console's files at `/`, each under a route of its own, so that no other path is touched. Whoever reaches the
 * port may have them: they hold no data.
 * @param folder  with `index.html` and `assets/`, and beside each file its `.br` and `.gz`
 * @returns whether there is something to serve
 */
export function serveConsole(instance: FastifyInstance, folder: string): boolean {
  if (!existsSync(folder)) return false;
  instance.register(fastifyStatic, {
    root: folder,
    wildcard: false,
    globIgnore: ['**/*.br', '**/*.gz'],
    preCompressed: true,
    decorateReply: false,
    cacheControl: false,
    setHeaders: (reply, path) => {
      const lifetime = HASHED.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache';
      void reply.headers({ ...HEADERS, 'cache-control': lifetime });
    },
  });
  return true;
}
