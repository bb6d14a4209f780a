// Tests are compiled already (scripts/build.mjs --tests): jest gets them as they are, with the map to their sources, so that
// stack traces name those. Its default would parse every file again.
const { existsSync, readFileSync } = require('node:fs');

module.exports = {
  process(code, file) {
    const map = `${file}.map`;
    return { code, map: existsSync(map) ? readFileSync(map, 'utf8') : null };
  },
};
