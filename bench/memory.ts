/** Peak resident memory of three training steps less what importing takes, each time in a fresh process. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { interleave, type Side, type Subject, toRow } from './harness';
import { peerScript } from './peers/hrm_torch';
import { fairTorchPython } from './torch';
import { type Size, sizeName } from './workload';

const LARGE: Size = { hidden: 512, layers: 4, heads: 8, batch: 8, seq: 81, vocab: 11 };
const CASES: readonly { size: Size; atLeast: number; lowMemory?: boolean }[] = [
  // At most half of PyTorch's, and at most 0.7.
  { size: { hidden: 128, layers: 2, heads: 8, batch: 32, seq: 81, vocab: 11 }, atLeast: 2 },
  { size: LARGE, atLeast: 1 / 0.7 },
  { size: LARGE, atLeast: 1 / 0.7, lowMemory: true },
];
const QUICK_SIZE: Size = { hidden: 64, layers: 1, heads: 1, batch: 2, seq: 16, vocab: 6 };
const STEPS = 3;
const PROCESSES = 3;
const MIB = 2 ** 20;

const weighed = z.looseObject({ peakLessImportBytes: z.number() });

const run = promisify(execFile);

async function weigh(program: string, args: readonly string[]): Promise<number> {
  const { stdout } = await run(program, args);
  return weighed.parse(JSON.parse(stdout)).peakLessImportBytes / MIB;
}

export const memory: Subject = {
  name: 'memory',
  title: 'peak RSS of setup and three training steps, less RSS after import, with optimizers, in fresh processes',
  async run(options, report) {
    const python = await fairTorchPython('memory', options, report);
    const child = path.join(__dirname, 'memory_child.js');
    const quick: typeof CASES = [false, true].map((lowMemory) => ({ size: QUICK_SIZE, atLeast: 0, lowMemory }));
    for (const { size, atLeast, lowMemory } of options.quick ? quick : CASES) {
      const setup = JSON.stringify({ ...size, threads: options.threads });
      const ourSetup = JSON.stringify({ ...size, threads: options.threads, lowMemory });
      const sides: Side[] = [() => weigh(process.execPath, [child, ourSetup, String(STEPS)])];
      if (python !== undefined)
        sides.push(() => weigh(python, [peerScript, 'memory', setup, '--repeat', String(STEPS)]));
      const [ours, theirs] = await interleave(sides, { rounds: options.quick ? 1 : PROCESSES, warmUps: 0 });
      const row = toRow({
        subject: 'memory',
        case: `${sizeName(size)}, ${options.threads} threads${lowMemory ? ', lowMemory' : ''}`,
        unit: 'MiB',
        better: 'lower',
        samples: ours!,
        peer: theirs && { name: 'PyTorch', samples: theirs },
        bound: options.quick ? undefined : { of: 'ratio', atLeast },
      });
      report.row({ ...row, details: row.ratio === null ? {} : { "share of the peer's": 1 / row.ratio } });
    }
  },
};
