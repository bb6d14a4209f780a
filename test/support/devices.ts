import { describe, it } from '@jest/globals';

export type Device = 'cpu' | 'cuda';

/** Why a device cannot be tested here; undefined: it can. */
function missing(device: Device): string | undefined {
  return device === 'cpu' ? undefined : 'this build has no CUDA backend';
}

/** Runs a suite on every device. What is skipped is printed; REQUIRE_CUDA=1 turns a skip into a failure. */
export function eachDevice(name: string, body: (device: Device) => void): void {
  for (const device of ['cpu', 'cuda'] as const) {
    describe(`${name} on ${device}`, () => {
      const reason = missing(device);
      if (reason === undefined) {
        body(device);
        return;
      }
      it(`is skipped: ${reason}`, () => {
        if (process.env.REQUIRE_CUDA === '1') throw new Error(`REQUIRE_CUDA=1, but ${reason}`);
        process.stderr.write(`skipped: ${name} on ${device}: ${reason}\n`);
      });
    });
  }
}
