/** What a training step needs beside weights, optimizer and carry, for many cycle counts. */
import { memory as engineMemory, resetPeakMemory, setNumThreads } from '../ts/native/runtime';
import { type BenchOptions, type Report, type Subject, toRow } from './harness';
import { departureFromLine } from './statistics';
import { type Size, Workload } from './workload';

const SIZE: Size = { hidden: 64, layers: 1, heads: 1, batch: 4, seq: 80, vocab: 11 };
const CYCLES = [2, 4, 8, 16];
const QUICK_CYCLES = [2, 3];
const MIB = 2 ** 20;

/** MiB at the peak of a step over what lived before it. */
function activations(hCycles: number, lCycles: number, gradSteps: 1 | 'full'): number {
  const workload = new Workload(SIZE, { hCycles, lCycles, gradSteps });
  try {
    // The first step makes the optimizer's state and packs weights; both stay.
    workload.step();
    const { liveBytes } = engineMemory();
    resetPeakMemory();
    workload.step();
    return (engineMemory().peakBytes - liveBytes) / MIB;
  } finally {
    workload.dispose();
  }
}

function weighAll(gradSteps: 1 | 'full', options: BenchOptions, report: Report): void {
  const cycles = options.quick ? QUICK_CYCLES : CYCLES;
  const points = cycles.flatMap((hCycles) => cycles.map((lCycles) => ({ hCycles, lCycles })));
  const row = (name: string, unit: string, sample: number) =>
    ({
      subject: 'activations',
      case: `gradSteps ${gradSteps}, ${name}`,
      unit,
      better: 'lower',
      samples: [sample],
    }) as const;
  const figures = points.map(({ hCycles, lCycles }) => {
    const mib = activations(hCycles, lCycles, gradSteps);
    report.row(toRow(row(`${hCycles} x ${lCycles}`, 'MiB', mib)));
    return mib;
  });
  if (gradSteps === 1) {
    const excess = Math.max(...figures) / Math.min(...figures) - 1;
    report.row(
      toRow({ ...row('largest over smallest, less 1', 'share', excess), bound: { of: 'ours', atMost: 0.01 } }),
    );
  } else {
    // Level calls that carry gradient; both levels have as many blocks.
    const calls = points.map(({ hCycles, lCycles }) => hCycles * (lCycles + 1));
    const departure = departureFromLine(calls, figures);
    const bound = { of: 'ours', atMost: 0.01 } as const;
    report.row(toRow({ ...row('departure from a line in N (T + 1)', 'share', departure), bound }));
  }
}

export const activationMemory: Subject = {
  name: 'activations',
  title: 'memory of a training step beside weights, optimizer and carry, for hCycles x lCycles',
  run(options, report) {
    setNumThreads(options.threads);
    weighAll(1, options, report);
    weighAll('full', options, report);
    return Promise.resolve();
  },
};
