#!/usr/bin/env node
'use strict';
// Finds the compiled command line, or says what is missing.
const fs = require('fs');
const path = require('path');

const needed = [20, 19];
const version = process.versions.node.split('.').map(Number);
if (version[0] < needed[0] || (version[0] === needed[0] && version[1] < needed[1])) {
  console.error(`hrm: Node.js must be at least ${needed.join('.')}, got ${process.versions.node}`);
  process.exit(1);
}

const root = path.resolve(__dirname, '..');
const entry = path.join(root, 'dist', 'cli', 'main.js');
if (!fs.existsSync(entry)) {
  console.error(`hrm: ${entry} is missing; run \`npm ci && npm run build\` in ${root}`);
  process.exit(1);
}

require(entry)
  .main(process.argv.slice(2))
  .then((exitCode) => {
    process.exitCode = exitCode;
  });
