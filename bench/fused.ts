/** The fused loop and level against their definitions in generic ops. */
import { noGrad } from '../ts/autograd/no_grad';
import { grad } from '../ts/autograd/tape';
import { setNumThreads } from '../ts/native/runtime';
import { demandFused } from '../ts/ops/fused';
import { composedLLoop, lLoop, type LoopOptions } from '../ts/ops/l_loop';
import { type BlockWeights, composedLevel, level } from '../ts/ops/level';
import { Generator, randn, truncNormal } from '../ts/ops/random';
import { ropeTables } from '../ts/ops/rope';
import { tidy } from '../ts/tensor/scope';
import type { Tensor } from '../ts/tensor/tensor';
import { headDim, type ModelConfig, swigluInnerSize, totalSeqLen } from '../ts/hrm/config';
import { interleave, type Report, type Subject, timeMs, toRow } from './harness';
import { configOf, type Size, sizeName } from './workload';

const SIZES: readonly Size[] = [
  { hidden: 512, layers: 4, heads: 8, batch: 8, seq: 81, vocab: 11 },
  { hidden: 128, layers: 2, heads: 8, batch: 32, seq: 81, vocab: 11 },
  { hidden: 64, layers: 1, heads: 1, batch: 32, seq: 16, vocab: 6 },
];
const ROUNDS = 11;
const SETTLE_MS = 5;

interface Problem {
  zH: Tensor;
  zL: Tensor;
  x: Tensor;
  lWeights: BlockWeights[];
  hWeights: BlockWeights[];
  options: LoopOptions;
}

function problemOf(size: Size, config: ModelConfig): Problem {
  const generator = new Generator(1);
  const { hidden } = config;
  const inner = swigluInnerSize(hidden, config.expansion);
  const weight = (rows: number, columns: number): Tensor => {
    const w = truncNormal([rows, columns], { std: 1 / Math.sqrt(columns), generator });
    w.requiresGrad = true;
    return w;
  };
  const blocks = (n: number): BlockWeights[] =>
    Array.from({ length: n }, () => ({
      qkv: weight(3 * hidden, hidden),
      o: weight(hidden, hidden),
      gateUp: weight(2 * inner, hidden),
      down: weight(hidden, inner),
    }));
  const state = (): Tensor => randn([size.batch, totalSeqLen(config), hidden], { generator });
  return {
    zH: state(),
    zL: state(),
    x: state(),
    lWeights: blocks(size.layers),
    hWeights: blocks(size.layers),
    options: {
      nHeads: config.nHeads,
      eps: config.rmsNormEps,
      rope: ropeTables(totalSeqLen(config), headDim(config), { theta: config.ropeTheta }),
      hCycles: config.hCycles,
      lCycles: config.lCycles,
      gradSteps: 1,
    },
  };
}

async function compare(size: Size, rounds: number, suffix: string, report: Report): Promise<void> {
  await tidyLater(async () => {
    const problem = problemOf(size, configOf(size));
    const { zH, zL, x, lWeights, hWeights, options } = problem;
    const weights = lWeights.flatMap((block) => Object.values(block) as Tensor[]);

    const loop = (run: typeof lLoop) => (): void => {
      tidy(() => noGrad(() => void run(zH, zL, x, lWeights, hWeights, options)));
    };
    const withGradient = (run: typeof level) => (): void => {
      tidy(() => void grad(run(zL, [zH, x], lWeights, options), weights, x));
    };
    const cases = [
      { name: 'no-grad loop of a segment', fused: loop(lLoop), composed: loop(composedLLoop) },
      { name: 'level, forward and backward', fused: withGradient(level), composed: withGradient(composedLevel) },
    ];
    for (const { name, fused, composed } of cases) {
      const [ours, theirs] = await interleave([() => timeMs(() => demandFused(fused)), () => timeMs(composed)], {
        rounds,
        settleMs: SETTLE_MS,
      });
      report.row(
        toRow({
          subject: 'fused',
          case: `${name}, ${sizeName(size)}${suffix}`,
          unit: 'ms',
          better: 'lower',
          samples: ours!,
          peer: { name: 'composed', samples: theirs! },
          bound: rounds === 1 ? undefined : { of: 'ratio', atLeast: 1 },
        }),
      );
    }
    return problem;
  });
}

/** Disposes the tensors of a problem once it is done with. */
async function tidyLater(run: () => Promise<Problem>): Promise<void> {
  const { zH, zL, x, lWeights, hWeights, options } = await run();
  const { rope } = options;
  const weights = [...lWeights, ...hWeights].flatMap((block) => Object.values(block) as Tensor[]);
  for (const item of [zH, zL, x, ...weights, ...(rope ? [rope.cos, rope.sin] : [])]) item.dispose();
}

export const fused: Subject = {
  name: 'fused',
  title: 'the fused ops against their definitions in generic ops, which is the peer here',
  async run(options, report) {
    setNumThreads(options.threads);
    const sizes = options.quick ? SIZES.slice(-1) : SIZES;
    for (const size of sizes) await compare(size, options.quick ? 1 : ROUNDS, `, ${options.threads} threads`, report);
  },
};
