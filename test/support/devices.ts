/**
 * The devices that suites run on. An addon has the CPU and at most one kind of accelerator; HRM_ADDON chooses another addon:
 * `npm run test:simt` runs the suites on the CUDA backend over simulated threads.
 */
import { describe, it } from '@jest/globals';
import type { Device } from '../../ts/index';
import { addon } from '../../ts/native/boundary';

/** With an accelerator to test, the CPU has been tested by the run without. */
export function testedDevices(): readonly Device[] {
  const { name, count } = addon().gpu();
  return name !== null && count > 0 ? [name] : ['cpu'];
}

/** Runs a suite on every device. What is skipped is printed; REQUIRE_CUDA=1 turns a skip into a failure. */
export function eachDevice(name: string, body: (device: Device) => void): void {
  for (const device of testedDevices()) {
    describe(`${name} on ${device}`, () => {
      body(device);
    });
  }
  const { name: kind, missing } = addon().gpu();
  if (kind === 'simt' || (kind === 'cuda' && missing === null)) return;
  describe(`${name} on cuda`, () => {
    it(`is skipped: ${missing}`, () => {
      if (process.env['REQUIRE_CUDA'] === '1') throw new Error(`REQUIRE_CUDA=1, but ${missing}`);
      process.stderr.write(`skipped: ${name} on cuda: ${missing}\n`);
    });
  });
}
