import { ArgumentError, DTypeError, ShapeError, type Tensor, tensor, zeros } from '../../ts/index';
import {
  type FusedOptions,
  type FusedWeights,
  fusedLevel,
  fusedLLoop,
  levelBackwardOp,
  levelOp,
} from '../../ts/ops/fused_block';
import type { Arr } from '../support/arrays';
import { referenceLevel, ropeAngle } from '../support/block_reference';
import { FLOATS, opCase, type Refused, type Round, type Sample } from '../support/op_case';

interface Options {
  readonly nHeads: number;
  readonly rope: boolean;
  readonly eps: number;
  readonly layers: number;
  /** Tokens mix by a SwiGLU over the sequence. */
  readonly overSequence?: boolean;
}
interface LoopOptions extends Options {
  readonly hCycles: number;
  readonly lCycles: number;
  readonly gradSteps: number;
  readonly hTokens?: number | undefined;
}

function tables(h: Tensor, nHeads: number): { cos: Tensor; sin: Tensor } {
  const [, seqLen, hidden] = h.shape as [number, number, number];
  const d = hidden / nHeads;
  const table = (f: (angle: number) => number): Tensor =>
    tensor(
      Float64Array.from({ length: seqLen * d }, (_, i) => f(ropeAngle(Math.floor(i / d), i % d, d))),
      { shape: [seqLen, d], dtype: h.dtype === 'float64' ? 'float64' : 'float32', device: h.device },
    );
  return { cos: table(Math.cos), sin: table(Math.sin) };
}

function fusedOptions(h: Tensor, { nHeads, eps, rope }: Options): FusedOptions {
  return { nHeads, eps, rope: rope ? tables(h, nHeads) : undefined };
}

/** Blocks are given one after another, four tensors each. */
function weightsOf(flat: readonly Tensor[], overSequence = false): FusedWeights {
  const part = (k: number): Tensor[] => flat.filter((_, i) => i % 4 === k);
  return overSequence
    ? { qkv: [], o: [], gateUp: part(0), down: part(1), tGateUp: part(2), tDown: part(3) }
    : { qkv: part(0), o: part(1), gateUp: part(2), down: part(3), tGateUp: [], tDown: [] };
}
function blocksOf(flat: readonly Arr[]): Arr[][] {
  return Array.from({ length: flat.length / 4 }, (_, i) => flat.slice(4 * i, 4 * i + 4));
}

function blockShapes(hidden: number, inner: number, layers: number): number[][] {
  const one = [
    [3 * hidden, hidden],
    [hidden, hidden],
    [2 * inner, hidden],
    [hidden, inner],
  ];
  return Array.from({ length: layers }, () => one).flat();
}

function mixerBlockShapes(seqLen: number, hidden: number, inner: number, seqInner: number, layers: number): number[][] {
  const one = [
    [2 * inner, hidden],
    [hidden, inner],
    [2 * seqInner, seqLen],
    [seqLen, seqInner],
  ];
  return Array.from({ length: layers }, () => one).flat();
}

type Sizes = readonly [batch: number, seqLen: number, hidden: number, inner: number, nHeads: number, layers: number];

const SIZES: readonly Sizes[] = [
  [1, 1, 2, 1, 1, 1],
  [1, 1, 1, 1, 1, 1],
  [0, 3, 4, 3, 2, 1],
  [2, 0, 4, 3, 2, 1],
  [1, 4, 4, 5, 2, 1],
  [2, 3, 4, 3, 1, 2],
  [3, 2, 8, 4, 2, 1],
  [1, 17, 4, 2, 2, 1],
  [2, 5, 6, 7, 3, 1],
  [1, 3, 12, 2, 3, 1],
  [5, 2, 4, 3, 2, 1],
  [1, 2, 4, 33, 1, 1],
  [1, 2, 4, 3, 2, 3],
];

const attentionSamples: Sample<Options>[] = SIZES.map(([batch, seqLen, hidden, inner, nHeads, layers], i) => ({
  shapes: [[batch, seqLen, hidden], ...blockShapes(hidden, inner, layers)],
  options: { nHeads, layers, eps: 1e-5, rope: (hidden / nHeads) % 2 === 0 && i % 3 !== 2 },
}));

/** F' of each size is another. */
const mixerSamples: Sample<Options>[] = SIZES.map(([batch, seqLen, hidden, inner, nHeads, layers], i) => ({
  shapes: [[batch, seqLen, hidden], ...mixerBlockShapes(seqLen, hidden, inner, 1 + ((5 * i) % 12), layers)],
  options: { nHeads, layers, eps: 1e-5, rope: false, overSequence: true },
}));
const levelSamples = [...attentionSamples, ...mixerSamples];

const CYCLES: readonly (readonly [number, number, number])[] = [
  [2, 2, 1],
  [1, 1, 0],
  [1, 2, 2],
  [2, 1, 1],
];
const loopSamples: Sample<LoopOptions>[] = levelSamples.map(({ shapes, options }, i) => {
  // A rounding error grows from block to block: few blocks, so that the bounds of one op hold. A SwiGLU over the sequence
  // normalises as many rows of few numbers again: the longest loop is left to attention.
  const cycles = options.overSequence ? CYCLES.slice(1) : CYCLES;
  const [hCycles, lCycles, gradSteps] = cycles[i % cycles.length] as [number, number, number];
  const layers = hCycles * lCycles === 1 ? options.layers : 1;
  const [state, ...blocks] = shapes as [number[], ...number[][]];
  const weights = blocks.slice(0, 4 * layers);
  return {
    shapes: [state, state, state, ...weights, ...weights],
    options: { ...options, layers, hCycles, lCycles, gradSteps, ...(i % 3 === 1 && { hTokens: i % (state[1]! + 1) }) },
  };
});

const state = (): Tensor => zeros([1, 2, 4]);
const weights = (): Tensor[] => blockShapes(4, 3, 1).map((shape) => zeros(shape));
const refusals = (run: (h: Tensor, w: FusedWeights, options: FusedOptions) => unknown): Refused[] => {
  const good = { nHeads: 2, eps: 1e-5 };
  const replaced = (index: number, by: Tensor): FusedWeights =>
    weightsOf(weights().map((w, i) => (i === index ? by : w)));
  return [
    {
      what: 'heads that do not divide D',
      run: () => run(state(), weightsOf(weights()), { ...good, nHeads: 3 }),
      error: ShapeError,
    },
    { what: 'no heads', run: () => run(state(), weightsOf(weights()), { ...good, nHeads: 0 }), error: ShapeError },
    {
      what: 'a negative eps',
      run: () => run(state(), weightsOf(weights()), { ...good, eps: -1 }),
      error: ArgumentError,
    },
    { what: 'a state of rank 2', run: () => run(zeros([2, 4]), weightsOf(weights()), good), error: ShapeError },
    { what: 'qkv of a wrong shape', run: () => run(state(), replaced(0, zeros([12, 5])), good), error: ShapeError },
    { what: 'down of a wrong shape', run: () => run(state(), replaced(3, zeros([5, 3])), good), error: ShapeError },
    {
      what: 'a weight of another dtype',
      run: () => run(state(), replaced(1, zeros([4, 4], { dtype: 'float64' })), good),
      error: DTypeError,
    },
    {
      what: 'lists of unequal length',
      run: () => run(state(), { ...weightsOf(weights()), o: [] }, good),
      error: ShapeError,
    },
    {
      what: 'a table that is too short',
      run: () => run(state(), weightsOf(weights()), { ...good, rope: { cos: zeros([1, 2]), sin: zeros([1, 2]) } }),
      error: ShapeError,
    },
    {
      what: 'a table of another dtype',
      run: () =>
        run(state(), weightsOf(weights()), {
          ...good,
          rope: { cos: zeros([2, 2], { dtype: 'float64' }), sin: zeros([2, 2]) },
        }),
      error: DTypeError,
    },
    {
      what: 'weights of both mixers',
      run: () => run(state(), { ...weightsOf(weights()), tGateUp: [zeros([6, 2])], tDown: [zeros([2, 3])] }, good),
      error: ArgumentError,
    },
    {
      what: 'tGateUp of another sequence length',
      run: () =>
        run(
          state(),
          weightsOf(
            mixerBlockShapes(3, 4, 3, 2, 1).map((s) => zeros(s)),
            true,
          ),
          good,
        ),
      error: ShapeError,
    },
    {
      what: 'half of a mixer',
      run: () =>
        run(
          state(),
          {
            ...weightsOf(
              mixerBlockShapes(2, 4, 3, 2, 1).map((s) => zeros(s)),
              true,
            ),
            tDown: [],
          },
          good,
        ),
      error: ShapeError,
    },
    {
      what: 'a rotation where tokens mix over the sequence',
      run: () =>
        run(
          state(),
          weightsOf(
            mixerBlockShapes(2, 4, 3, 2, 1).map((s) => zeros(s)),
            true,
          ),
          {
            ...good,
            rope: { cos: zeros([2, 2]), sin: zeros([2, 2]) },
          },
        ),
      error: ArgumentError,
    },
    {
      what: 'an odd head with a rotation',
      run: () =>
        run(zeros([1, 2, 3]), weightsOf(blockShapes(3, 3, 1).map((s) => zeros(s))), {
          nHeads: 1,
          eps: 0,
          rope: { cos: zeros([2, 3]), sin: zeros([2, 3]) },
        }),
      error: ShapeError,
    },
  ];
};

/** Weights small enough for softmax and silu to stay off their flat ends. */
const value =
  (nStates: number) =>
  (u: number, input: number): number =>
    input < nStates ? 4 * u - 2 : 2 * u - 1;

export const levelCase = opCase<Options>({
  chain: true,
  call: ([h, ...flat], options) =>
    fusedLevel(h as Tensor, weightsOf(flat, options.overSequence), fusedOptions(h as Tensor, options)),
  reference: ([h, ...flat], options, round, store) => referenceLevel(h as Arr, blocksOf(flat), options, round, store),
  samples: levelSamples,
  dtypes: FLOATS,
  value: value(1),
  gradient: true,
  refused: [
    ...refusals(fusedLevel),
    { what: 'no blocks', run: () => fusedLevel(state(), weightsOf([]), { nHeads: 2, eps: 0 }), error: ShapeError },
  ],
});

/** Runs the loop's definition on the reference of a level. */
function referenceLoop(inputs: Arr[], options: LoopOptions, round: Round, store: Round): Arr[] {
  const [zH0, zL0, x, ...flat] = inputs as [Arr, Arr, Arr, ...Arr[]];
  const blocks = blocksOf(flat);
  const [l, h] = [blocks.slice(0, options.layers), blocks.slice(options.layers)];
  const sum = (a: Arr, b: Arr): Arr => ({ ...a, data: a.data.map((v, i) => store(round(v + (b.data[i] as number)))) });
  let [zH, zL] = [zH0, zL0];
  for (let t = 1; t <= options.hCycles * options.lCycles - options.gradSteps; ++t) {
    zL = referenceLevel(sum(zL, sum(zH, x)), l, options, round, store);
    if (t % options.lCycles === 0) zH = referenceLevel(sum(zH, zL), h, options, round, store);
  }
  const [batch, seqLen, hidden] = zH.shape as [number, number, number];
  const { hTokens = seqLen } = options;
  const wanted = (_: number, at: number): boolean => Math.floor(at / hidden) % seqLen < hTokens;
  return [{ shape: [batch, hTokens, hidden], data: zH.data.filter(wanted) }, zL];
}

const LOOP = { hCycles: 1, lCycles: 1, gradSteps: 0 };
export const lLoopCase = opCase<LoopOptions>({
  chain: true,
  call: ([zH, zL, x, ...flat], options) => {
    const h = zH as Tensor;
    const { hCycles, lCycles, gradSteps, hTokens } = options;
    const states = fusedLLoop(
      h,
      zL as Tensor,
      x as Tensor,
      weightsOf(flat.slice(0, 4 * options.layers), options.overSequence),
      weightsOf(flat.slice(4 * options.layers), options.overSequence),
      { ...fusedOptions(h, options), hCycles, lCycles, gradSteps, hTokens },
    );
    return [states.zH, states.zL];
  },
  reference: referenceLoop,
  samples: loopSamples,
  dtypes: FLOATS,
  value: value(3),
  gradient: 'the updates that it runs carry none (HRM section 2)',
  refused: [
    ...refusals((h, w, options) => fusedLLoop(h, h, h, w, w, { ...options, ...LOOP })),
    {
      what: 'more gradient steps than updates',
      run: () => {
        const w = weightsOf(weights());
        return fusedLLoop(state(), state(), state(), w, w, { nHeads: 2, eps: 0, ...LOOP, gradSteps: 2 });
      },
      error: ArgumentError,
    },
    {
      what: 'more tokens than there are',
      run: () => {
        const w = weightsOf(weights());
        return fusedLLoop(state(), state(), state(), w, w, { nHeads: 2, eps: 0, ...LOOP, hTokens: 3 });
      },
      error: ArgumentError,
    },
    {
      what: 'states of different shapes',
      run: () => {
        const w = weightsOf(weights());
        return fusedLLoop(state(), zeros([1, 3, 4]), state(), w, w, { nHeads: 2, eps: 0, ...LOOP });
      },
      error: ShapeError,
    },
  ],
});

/** The gradients that come out are checked by the gradient check of `level`; here only what must be refused. */
export const levelBackwardCase = opCase<Options>({
  ...levelCase,
  gradient: 'gradients of gradients are not needed',
  refused: [
    {
      what: 'what another shape has kept',
      run: () => {
        const [qkvs, os, gateUps, downs] = weights().map((t) => [t]) as [Tensor[], Tensor[], Tensor[], Tensor[]];
        const w = [qkvs, os, gateUps, downs, [], []] as [Tensor[], Tensor[], Tensor[], Tensor[], Tensor[], Tensor[]];
        const attrs = { nHeads: 2, eps: 0 };
        const [y, ...kept] = levelOp.many([state(), undefined, undefined, ...w], { ...attrs, keep: false });
        const [qkv, attention, lse, y1, r1, gateUp, r2, inner, tGateUp] = kept as [
          ...[Tensor, Tensor, Tensor, Tensor],
          ...[Tensor, Tensor, Tensor, Tensor, Tensor],
        ];
        const saved = [qkv, attention, lse, y1, r1, gateUp, r2, inner, tGateUp] as const;
        return levelBackwardOp.many([state(), y as Tensor, state(), ...saved, undefined, undefined, ...w], attrs);
      },
      error: ShapeError,
    },
  ],
} as never);
