import type { Scope } from '#lib/auth';

const CONSOLE = /^\/(index\.html|assets\/[^/]+)?$/;

/**
 * The routes with their methods, to tell a wrong method (405) from a wrong path (404), and what a credential must be good for.
 * `route` is the pattern as the router knows it: what it matched decides, not how the client wrote it.
 */
const PUBLIC_ROUTES: readonly {
  readonly path: RegExp;
  readonly route: RegExp;
  readonly methods: string;
  /** `any`: a credential, whatever it is good for. */
  readonly scope: Scope | 'any' | 'open';
}[] = [
  {
    path: /^\/v1\/((chat\/)?completions|embeddings)$/,
    route: /^\/v1\/((chat\/)?completions|embeddings)$/,
    methods: 'POST',
    scope: 'inference',
  },
  { path: /^\/v1\/models(\/.+)?$/, route: /^\/v1\/models(\/\*)?$/, methods: 'GET', scope: 'inference' },
  {
    path: /^\/health(\/(live|ready|startup))?$/,
    route: /^\/health(\/(live|ready|startup))?$/,
    methods: 'GET',
    scope: 'open',
  },
  ...administration(/^\/v1\/admin\/(tenants|tenants\/[^/]+\/(accounts|keys|policies))$/, 'GET, POST'),
  ...administration(/^\/v1\/admin\/tenants\/[^/]+\/limits$/, 'GET, PUT'),
  ...administration(/^\/v1\/admin\/tenants\/[^/]+(\/accounts\/[^/]+)?$/, 'PATCH'),
  ...administration(/^\/v1\/admin\/(policies|tenants\/[^/]+\/keys\/[^/]+\/rotate)$/, 'POST'),
  ...administration(/^\/v1\/admin\/(policies|tenants\/[^/]+\/(keys|policies))\/[^/]+$/, 'DELETE'),
  ...administration(/^\/v1\/admin\/audit$/, 'GET'),
  ...administration(/^\/v1\/admin\/log-level$/, 'PUT'),
  // With any key: whose request it is decides.
  {
    path: /^\/v1\/admin\/traces\/[^/]+$/,
    route: /^\/v1\/admin\/traces\/[^/]+$/,
    methods: 'GET',
    scope: 'inference',
  },
  { path: /^\/v1\/usage$/, route: /^\/v1\/usage$/, methods: 'GET', scope: 'usage' },
  { path: /^\/v1\/fleet$/, route: /^\/v1\/fleet$/, methods: 'GET', scope: 'metrics' },
  { path: /^\/v1\/me$/, route: /^\/v1\/me$/, methods: 'GET', scope: 'any' },
  { path: /^\/metrics$/, route: /^\/metrics$/, methods: 'GET', scope: 'metrics' },
  { path: /^\/(docs|openapi\.json)$/, route: /^\/(docs(\/.*)?|openapi\.json)$/, methods: 'GET', scope: 'open' },
  { path: CONSOLE, route: CONSOLE, methods: 'GET', scope: 'open' },
];

/** The router's patterns have `:name` where paths have any text, so one expression does for both. */
function administration(path: RegExp, methods: string) {
  return [{ path, route: path, methods, scope: 'admin' as const }];
}

/**
 * @param hasConsole  whether the console is served: it may be off, or not built
 * @returns value of `Allow`; `undefined` for a path that does not exist
 */
export function allowedMethods(path: string, hasConsole: boolean): string | undefined {
  if (!hasConsole && CONSOLE.test(path)) return undefined;
  return PUBLIC_ROUTES.find((route) => route.path.test(path))?.methods;
}

/** @param route  pattern that the router matched @returns `undefined` where every credential will do, as for any other route */
export function scopeOfRoute(route: string | undefined): Scope | 'open' | undefined {
  const scope = route === undefined ? undefined : PUBLIC_ROUTES.find((known) => known.route.test(route))?.scope;
  return scope === 'any' ? undefined : scope;
}
