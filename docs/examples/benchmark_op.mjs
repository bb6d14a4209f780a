// A micro-benchmark: matmul, and a segment's gradient-free updates (lLoop), with warm-up, turns and spread.
//   node docs/examples/benchmark_op.mjs [rounds] [size]
import { fallbackCounts, Generator, getNumThreads, Hrm, matmul, modelConfig, noGrad, randn, tidy } from 'hrm-engine';

const rounds = Number(process.argv[2] ?? 15);
const size = Number(process.argv[3] ?? 512);
const generator = new Generator(1);
const [a, b] = [randn([size, size], { generator }), randn([size, size], { generator })];

const config = modelConfig({ hidden: 128, nHeads: 4, hLayers: 2, lLayers: 2, seqLen: 81, vocabSize: 11 });
const model = new Hrm(config, generator);
const batchSize = 8;
const x = randn([batchSize, config.puzzleEmbLen + config.seqLen, config.hidden], { generator });
const states = model.initialStates(batchSize);

/** Floating-point operations of one call; of lLoop only its matrix products. */
const [tokens, width, inner] = [x.shape[0] * x.shape[1], config.hidden, 512];
const perBlock = 2 * tokens * (4 * width * width + 3 * width * inner + 2 * x.shape[1] * width);
const updates = config.hCycles * config.lCycles * config.lLayers + config.hCycles * config.hLayers;
const contestants = [
  { name: `matmul ${size}x${size}`, flops: 2 * size ** 3, run: () => matmul(a, b) },
  {
    name: `lLoop, ${batchSize} puzzles of 81 cells`,
    flops: updates * perBlock,
    run: () => model.recurNoGrad(states, x),
  },
];

// One call may be too short for the clock: as many as take about 20 ms are one sample.
function sample({ run, calls }) {
  const start = performance.now();
  for (let i = 0; i < calls; i++)
    // Reading one number makes sure that the work is done; tidy frees the result.
    tidy(() => {
      const result = noGrad(run);
      (result.zH ?? result).dataSync();
    });
  return (performance.now() - start) / calls;
}

for (const contestant of contestants) {
  contestant.calls = 1;
  // The first calls pack weights, fill the pool of memory and wake threads.
  for (let i = 0; i < 3; i++) contestant.calls = Math.max(1, Math.round(20 / sample(contestant)));
  contestant.times = [];
}
// In turns, so that a slow moment of the machine falls on all of them.
for (let round = 0; round < rounds; round++)
  for (const contestant of contestants) contestant.times.push(sample(contestant));

const quantile = (sorted, share) => sorted[Math.round((sorted.length - 1) * share)];
console.log(`${getNumThreads()} threads, ${rounds} rounds: median [quartiles]`);
for (const { name, flops, times } of contestants) {
  const sorted = times.toSorted((p, q) => p - q);
  const [low, median, high] = [0.25, 0.5, 0.75].map((share) => quantile(sorted, share));
  console.log(
    `  ${name}: ${median.toPrecision(3)} ms [${low.toPrecision(3)}, ${high.toPrecision(3)}], ` +
      `${(flops / median / 1e6).toPrecision(3)} GFLOP/s`,
  );
}
// A benchmark of the fused path must not measure its fallback.
if (fallbackCounts().size > 0) console.log('slow path taken:', fallbackCounts());
