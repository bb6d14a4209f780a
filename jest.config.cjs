// Tests run as compiled JavaScript (scripts/build.mjs --tests writes dist-test/), against the real addon.
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/dist-test/test'],
  testMatch: ['**/*.test.js'],
  testTimeout: 120_000,
  maxWorkers: 2,
};
