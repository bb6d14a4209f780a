/** Forward and training step of HRM, ours and PyTorch's, beside what the machine's multiply-adds can do. */
import { NativeError } from '../ts/error';
import { setNumThreads } from '../ts/native/runtime';
import { type BenchOptions, interleave, type Report, type Side, type Subject, timeMs, toRow } from './harness';
import { buildNativeProgram, FmaPeak } from './native_program';
import { TorchPeer } from './peers/hrm_torch';
import { median } from './statistics';
import { cpuSeconds, fairTorchPython } from './torch';
import { forwardFlops, type Size, sizeName, stepFlops, Workload } from './workload';

interface Case {
  size: Size;
  rounds: number;
  lowMemory?: boolean;
  /** Least ratio to PyTorch; null: none is asked for. Without the key it is not run. */
  step?: number | null;
  forward?: number | null;
}

// Eight heads: the official configuration, whatever the hidden size.
const LARGE: Size = { hidden: 512, layers: 4, heads: 8, batch: 8, seq: 81, vocab: 11 };
const CASES: readonly Case[] = [
  { size: LARGE, rounds: 9, step: 1.3, forward: 1.3 },
  // What the memory of the bench of that name costs in time.
  { size: LARGE, rounds: 9, lowMemory: true, step: null },
  { size: { hidden: 128, layers: 2, heads: 8, batch: 32, seq: 81, vocab: 11 }, rounds: 15, step: 2, forward: 1.8 },
];
const QUICK_SIZE: Size = { hidden: 64, layers: 1, heads: 1, batch: 2, seq: 16, vocab: 6 };

// Longer than the spinning of either side's threads.
const SETTLE_MS = 30;

type Work = 'forward' | 'step';

/** Undefined, with a note, where the C++ bench cannot be built: an addon from elsewhere, or no CMake. */
function startPeak(threads: number, report: Report): FmaPeak | undefined {
  try {
    return new FmaPeak(buildNativeProgram('fma_peak'), threads);
  } catch (error) {
    if (!(error instanceof NativeError)) throw error;
    report.note(`step: no share of the peak: ${error.message}`);
    return undefined;
  }
}

async function compare(
  { size, rounds, lowMemory = false, ...bounds }: Case,
  options: BenchOptions,
  python: string | undefined,
  report: Report,
): Promise<void> {
  setNumThreads(options.threads);
  const workload = new Workload(size, {}, { lowMemory });
  const peak = startPeak(options.threads, report);
  const peer = python === undefined ? undefined : new TorchPeer(python);
  let peerIdleSeconds = 0;
  let ourSeconds = 0;
  const ours = (work: Work): Side => {
    return () => {
      const before = cpuSeconds(peer?.pid);
      const ms = timeMs(() => workload[work]());
      if (peer) peerIdleSeconds += cpuSeconds(peer.pid) - before;
      ourSeconds += ms / 1e3;
      return ms;
    };
  };
  try {
    const peerModel = await peer?.setup({ ...size, threads: options.threads });
    for (const work of ['step', 'forward'] as const) {
      const atLeast = bounds[work];
      if (atLeast === undefined) continue;
      const sides: Side[] = [ours(work), () => peak?.measure() ?? NaN];
      if (peer) sides.push(async () => (await peer[work]()).ms);
      const [ms, peaks, peerMs] = await interleave(sides, {
        rounds: options.quick ? 2 : rounds,
        warmUps: options.quick ? 1 : 2,
        settleMs: SETTLE_MS,
      });
      const flops = (work === 'step' ? stepFlops : forwardFlops)(workload.config, size.batch);
      // The peer's step computes every token of the second recurrence.
      const peerFlops = (work === 'step' ? peerModel?.stepFlops : peerModel?.forwardFlops) ?? NaN;
      const speed = (samples: readonly number[], n = flops): number => n / median(samples) / 1e6;
      const reached = peak ? median(peaks!) : undefined;
      const shares = reached !== undefined && {
        'share of peak': speed(ms!) / reached,
        ...(peerMs && { "peer's share": speed(peerMs, peerFlops) / reached }),
        'FMA loop GFLOP/s': reached,
      };
      report.row(
        toRow({
          subject: 'step',
          case: `${work}, ${sizeName(size)}, ${options.threads} threads${lowMemory ? ', lowMemory' : ''}`,
          unit: 'ms',
          better: 'lower',
          samples: ms!,
          peer: peerMs && { name: 'PyTorch', samples: peerMs },
          bound: options.quick || atLeast === null ? undefined : { of: 'ratio', atLeast },
          details: {
            'GFLOP/s': speed(ms!),
            ...(peerMs && { "peer's GFLOP/s": speed(peerMs, peerFlops) }),
            ...shares,
          },
        }),
      );
    }
    // A peer that spins through our turn would slow us, and the comparison would mean nothing.
    const share = peerIdleSeconds / ourSeconds;
    if (peer && share > 0.02)
      report.note(`step: PyTorch used ${(share * 100).toFixed(0)}% of a core during our turns, ${sizeName(size)}`);
  } finally {
    workload.dispose();
    await peak?.close();
    await peer?.close();
  }
}

export const step: Subject = {
  name: 'step',
  title: 'training step (two recurrences, backward, both optimizers) and one evaluation segment',
  async run(options, report) {
    const python = await fairTorchPython('step', options, report);
    const quick: readonly Case[] = [
      { size: QUICK_SIZE, rounds: 2, step: 1, forward: 1 },
      { size: QUICK_SIZE, rounds: 2, lowMemory: true, step: null },
    ];
    const cases = options.quick ? quick : CASES;
    for (const item of cases) await compare(item, options, python, report);
  },
};
