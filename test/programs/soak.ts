/**
 * A synchronous loop that allocates 1 MB a step and frees nothing: no tidy, no dispose, no return to the event loop.
 * `node dist-test/test/programs/soak.js [STEPS] [noGrad|recording]` runs it (default: 100,000 steps of each mode, each in
 * a process of its own, with and without the command line's V8 flags) and exits 1 if it grows by 200 MB or crashes.
 */
import { spawnSync } from 'node:child_process';
import { setFlagsFromString } from 'node:v8';
import { add, isGradEnabled, noGrad, type Tensor, zeros } from '../../ts';

const MB = 2 ** 20;
const LIMIT_MB = 200;
const MODES = ['noGrad', 'recording'] as const;
type Mode = (typeof MODES)[number];

/** Runs the loop. Returns by how many MB the resident memory rose at most. */
export function soak(steps: number, mode: Mode): number {
  const x = zeros([MB / 4]);
  x.requiresGrad = mode === 'recording';
  const start = process.memoryUsage.rss();
  let peak = start;
  const step = (i: number): Tensor => {
    const y = add(x, i);
    if (y.requiresGrad !== (mode === 'recording')) throw new Error(`soak: recording is ${isGradEnabled()}`);
    return y;
  };
  const loop = (): void => {
    for (let i = 0; i < steps; ++i) {
      const y = step(i);
      if (i % 50 === 0) {
        peak = Math.max(peak, process.memoryUsage.rss());
        // What is computed is used, and right.
        const value = y.narrow(0, i % 1000, 1).item();
        if (value !== i) throw new Error(`soak: step ${i} gave ${value}`);
      }
    }
  };
  if (mode === 'noGrad') noGrad(loop);
  else loop();
  return (peak - start) / MB;
}

function main([steps = '100000', mode, flags = 'default']: string[]): number {
  if (mode !== undefined) {
    if (flags === 'cli') setFlagsFromString('--no-incremental-marking');
    const grown = soak(Number(steps), mode as Mode);
    process.stdout.write(`${steps} steps of 1 MB, ${mode}, V8 flags ${flags}: ${grown.toFixed(0)} MB over the start\n`);
    return grown < LIMIT_MB ? 0 : 1;
  }
  let failed = 0;
  for (const each of MODES) {
    for (const setting of ['default', 'cli']) {
      const run = spawnSync(process.execPath, [__filename, steps, each, setting], { stdio: 'inherit' });
      if (run.status === 0) continue;
      process.stdout.write(`FAIL ${each}, ${setting}: ended with ${run.signal ?? `code ${String(run.status)}`}\n`);
      ++failed;
    }
  }
  return failed === 0 ? 0 : 1;
}

if (require.main === module) process.exitCode = main(process.argv.slice(2));
