// The import layers of ts/ (ARCHITECTURE: imports go down only), as dependency-cruiser rules: `npm run check`.
// A folder may import itself and what it lists, with everything that those list in turn. error.ts is below all;
// index.ts, the public entry, is above all and imported by none.
const uses = {
  native: [],
  tensor: ['native'],
  autograd: ['tensor'],
  ops: ['autograd'],
  nn: ['ops'],
  optim: ['ops'],
  io: ['tensor'],
  data: ['io'],
  hrm: ['nn'],
  train: ['hrm', 'optim', 'data', 'io'],
  analyze: ['train'],
  viz: ['train'],
  cli: ['viz', 'analyze', 'train'],
};

const reachable = (folder) => [folder, ...uses[folder].flatMap(reachable)];

const layerRules = Object.keys(uses).map((folder) => {
  const allowed = [...new Set(reachable(folder))];
  return {
    name: `layer-${folder}`,
    comment: `ts/${folder} may import only ts/error.ts and ${allowed.map((name) => `ts/${name}`).join(', ')}`,
    severity: 'error',
    from: { path: `^ts/${folder}/` },
    to: { path: '^ts/', pathNot: `^ts/(error\\.ts$|(${allowed.join('|')})/)` },
  };
});

module.exports = {
  forbidden: [
    ...layerRules,
    {
      name: 'layer-unknown',
      comment: 'a folder of ts/ that scripts/layers.cjs does not place',
      severity: 'error',
      from: { path: '^ts/[^/]+/', pathNot: `^ts/(${Object.keys(uses).join('|')})/` },
      to: {},
    },
    {
      name: 'no-cycle',
      comment: 'a cycle at run time; types alone may refer to each other',
      severity: 'error',
      from: { path: '^ts/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-tests-in-product',
      comment: 'the package must not need test/ or bench/',
      severity: 'error',
      from: { path: '^ts/' },
      to: { path: '^(test|bench)/' },
    },
    {
      name: 'no-dev-dependency-in-product',
      comment: 'a development dependency is missing where the package is installed',
      severity: 'error',
      from: { path: '^ts/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'resolvable',
      comment: 'an import that resolves to nothing',
      severity: 'error',
      from: { path: '^ts/' },
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    combinedDependencies: false,
  },
};
