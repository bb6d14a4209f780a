// The C++ sources of the given folders, for binding.gyp (node-gyp has no globs).
import { readdirSync } from 'node:fs';

for (const folder of process.argv.slice(2))
  for (const name of readdirSync(folder).sort()) if (name.endsWith('.cpp')) console.log(`${folder}/${name}`);
