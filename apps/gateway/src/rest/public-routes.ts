/** The public paths with their methods, to tell a wrong method (405) from a wrong path (404). */
const PUBLIC_ROUTES: readonly { readonly path: RegExp; readonly methods: string }[] = [
  { path: /^\/v1\/((chat\/)?completions|embeddings)$/, methods: 'POST' },
  { path: /^\/v1\/models(\/.+)?$/, methods: 'GET' },
  { path: /^\/health\/(live|ready|startup)$/, methods: 'GET' },
  { path: /^\/(metrics|docs|openapi\.json)$/, methods: 'GET' },
];

/** @returns value of `Allow`; `undefined` for a path that does not exist */
export function allowedMethods(path: string): string | undefined {
  return PUBLIC_ROUTES.find((route) => route.path.test(path))?.methods;
}
