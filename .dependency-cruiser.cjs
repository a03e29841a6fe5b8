/**
 * The import rules of the architecture, docs/architecture.md. What a lib may import stands in MAY_IMPORT and nowhere else.
 */
const MAY_IMPORT = {
  collections: [],
  contracts: [],
  secrets: [],
  config: ['secrets'],
  kv: [],
  tokens: [],
  models: [],
  observability: ['secrets'],
  certificates: [],
  database: ['secrets'],
  limits: ['collections'],
  redis: [],
  'limits-redis': ['limits', 'redis'],
  ledger: ['database', 'limits'],
  auth: ['database', 'limits', 'secrets'],
  channels: ['certificates', 'collections', 'contracts', 'observability'],
  'kv-transfer': ['channels', 'contracts', 'kv'],
  'kv-store': ['channels', 'contracts', 'kv', 'kv-transfer', 'redis'],
  openai: ['contracts', 'tokens'],
  placement: ['contracts', 'kv'],
  simulator: ['contracts', 'kv', 'placement'],
  engine: ['contracts', 'tokens', 'kv', 'placement'],
  'engine-onnx': ['contracts', 'tokens', 'engine', 'models'],
};

/** Libs that no framework, no I/O and no clock may enter: the simulator runs exactly the code that serves. */
const PURE = ['placement', 'kv', 'limits'];

const libRules = Object.entries(MAY_IMPORT).map(([lib, allowed]) => ({
  name: `lib-${lib}`,
  comment: `libs/${lib} may import ${allowed.length > 0 ? allowed.join(', ') : 'no other lib'}`,
  severity: 'error',
  from: { path: `^libs/${lib}/` },
  to: { path: '^libs/', pathNot: `^libs/(${[lib, ...allowed].join('|')})/` },
}));

module.exports = {
  forbidden: [
    ...libRules,
    {
      name: 'no-unlisted-lib',
      comment: 'a new lib needs a line in MAY_IMPORT',
      severity: 'error',
      from: { path: `^libs/(?!(${Object.keys(MAY_IMPORT).join('|')})/)` },
      to: {},
    },
    {
      name: 'libs-never-import-apps',
      severity: 'error',
      from: { path: '^libs/' },
      to: { path: '^apps/' },
    },
    {
      name: 'apps-never-import-apps',
      severity: 'error',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'console-alone',
      comment: 'the console runs in browsers: it knows the public API and nothing of ours',
      severity: 'error',
      from: { path: '^apps/console/' },
      to: { path: '^libs/' },
    },
    {
      name: 'libs-through-their-entry',
      comment: 'a lib is imported through its index.ts',
      severity: 'error',
      from: { path: '^(apps|libs)/([^/]+)/', pathNot: '\\.test\\.ts$' },
      to: { path: '^libs/', pathNot: ['^libs/[^/]+/src/index\\.ts$', '^$1/$2/'] },
    },
    {
      name: 'libs-through-their-entry-in-tests',
      comment: 'a test may use the test support of another lib beside its index.ts, and nothing else of it',
      severity: 'error',
      from: { path: '^(apps|libs)/([^/]+)/.*\\.test\\.ts$' },
      to: { path: '^libs/', pathNot: ['^libs/[^/]+/(src/index\\.ts$|testing/)', '^$1/$2/'] },
    },
    {
      name: 'pure-libs',
      comment: 'placement, kv and limits import no framework and no I/O (node:crypto for hashes)',
      severity: 'error',
      from: { path: `^libs/(${PURE.join('|')})/`, pathNot: '\\.(test|conformance)\\.ts$' },
      to: { dependencyTypes: ['npm', 'npm-dev', 'core'], pathNot: '^crypto$' },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: { pathNot: '/generated/' },
      to: { circular: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(dist|generated)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['hydra-source', 'import', 'node', 'default'],
    },
  },
};
