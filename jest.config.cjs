// Tests run as compiled JavaScript (scripts/build.mjs --tests writes dist-test/), against the real addon.
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/dist-test/test'],
  testMatch: ['**/*.test.js'],
  transform: { '[.]js$': '<rootDir>/scripts/jest_source_maps.cjs' },
  testTimeout: 120_000,
  maxWorkers: 2,
};
