// Writes dist/index.mjs and its types: a thin re-export of the one implementation, dist/index.js, so that both module
// formats share classes and tensors.
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

export function writeEsmEntry(dist) {
  const require = createRequire(import.meta.url);
  const names = Object.keys(require(path.join(dist, 'index.js'))).filter((name) => name !== '__esModule');
  const lines = [
    "import engine from './index.js';",
    `export const { ${names.sort().join(', ')} } = engine;`,
    'export default engine;',
    '',
  ];
  writeFileSync(path.join(dist, 'index.mjs'), lines.join('\n'));
  writeFileSync(path.join(dist, 'index.d.mts'), "export * from './index.js';\n");
}
