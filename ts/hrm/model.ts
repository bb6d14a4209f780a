import { noGrad } from '../autograd/no_grad';
import { RoundedCopy } from '../autograd/rounded_copy';
import { detached } from '../autograd/tape';
import type { Device } from '../native/device';
import { Block } from '../nn/block';
import { Embedding } from '../nn/embedding';
import { Linear } from '../nn/linear';
import { Module } from '../nn/module';
import { SparseEmbedding } from '../nn/sparse_embedding';
import { ShapeError } from '../error';
import { requireInteger, requireNamed, requireTensor } from '../ops/arguments';
import { add, mul } from '../ops/arithmetic';
import { cast } from '../ops/cast';
import { concat, pad } from '../ops/concat';
import { lLoop, type LoopOptions, type States, updateStates } from '../ops/l_loop';
import { type BlockWeights, level, streamedLevel } from '../ops/level';
import { linear } from '../ops/linear';
import { type Generator, truncNormal } from '../ops/random';
import { ropeTables } from '../ops/rope';
import { expand, reshape } from '../ops/reshape';
import { narrow, select } from '../ops/slice';
import { full, zeros } from '../tensor/create';
import { tidy } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import {
  gradLSteps,
  headDim,
  type ModelConfig,
  requireModelConfig,
  seqExpansionOf,
  swigluInnerSize,
  totalSeqLen,
} from './config';

/** Whether the parameter of this name is of a SwiGLU over the sequence (mlpT). */
export const isOverSequence = (name: string): boolean => name.includes('.mlp_t.');

/** A recurrent module: the weights of its blocks, under `layers.i`. */
class Level extends Module {
  readonly #blocks: Block[];

  constructor(nLayers: number, config: ModelConfig, generator: Generator) {
    super();
    const { hidden, expansion } = config;
    const seqLen = totalSeqLen(config);
    const start = config.mixerInit === 'grid' ? { gridSide: Math.sqrt(config.seqLen) } : {};
    const shape = {
      hidden,
      inner: swigluInnerSize(hidden, expansion),
      ...(config.mlpT ? { mlpT: { seqLen, inner: swigluInnerSize(seqLen, seqExpansionOf(config)), ...start } } : {}),
    };
    this.#blocks = Array.from({ length: nLayers }, (_, i) => this.child(`layers.${i}`, new Block(shape, generator)));
  }

  get weights(): BlockWeights[] {
    return this.#blocks.map((block) => block.weights);
  }
}

/** The official start of q_head's bias: a model that does not halt. */
const Q_HEAD_BIAS = -5;

export interface Heads {
  /** [B, seqLen, V] in forward dtype */
  logits: Tensor;
  /** [B] float32 */
  qHalt: Tensor;
  /** [B] float32 */
  qContinue: Tensor;
}

/** The Hierarchical Reasoning Model (HRM sections 1 and 2; arXiv 2506.21734). */
export class Hrm extends Module {
  readonly config: ModelConfig;
  readonly puzzleEmb: SparseEmbedding | undefined;
  /** [D] each: the states every puzzle starts from; fixed. */
  readonly hInit: Tensor;
  readonly lInit: Tensor;
  readonly #embedTokens: Embedding;
  readonly #embedPos: Embedding | undefined;
  readonly #lLevel: Level;
  readonly #hLevel: Level;
  readonly #lmHead: Linear;
  readonly #qHead: QHead;
  readonly #rope: { cos: Tensor; sin: Tensor } | undefined;
  readonly #copies = new Map<Tensor, RoundedCopy>();
  /**
   * Whether passes hold less memory for the same numbers: blocks run one by one, none of their packed weights stays, and the
   * gradient computes each block again. Of bfloat16, in which the CPU only stores, states are then rounded after each block.
   * `TrainStepOptions.lowMemory` goes further.
   */
  lowMemory = false;

  /** @param generator draws the initial weights; the same seed gives the same model on every machine */
  constructor(settings: ModelConfig, generator: Generator) {
    super();
    const config = requireModelConfig('Hrm', settings);
    this.config = config;
    const { hidden, vocabSize } = config;
    this.#embedTokens = this.child('embed_tokens', new Embedding(vocabSize, hidden, { generator }));
    if (config.posEncodings === 'learned')
      this.#embedPos = this.child('embed_pos', new Embedding(totalSeqLen(config), hidden, { generator }));
    if (config.puzzleEmbNdim > 0)
      this.puzzleEmb = this.child('puzzle_emb', new SparseEmbedding(config.numPuzzleIdentifiers, config.puzzleEmbNdim));
    this.#lLevel = this.child('L_level', new Level(config.lLayers, config, generator));
    this.#hLevel = config.sharedLevels
      ? this.#lLevel
      : this.child('H_level', new Level(config.hLayers, config, generator));
    this.#lmHead = this.child('lm_head', new Linear(hidden, vocabSize, { generator }));
    this.#qHead = this.child('q_head', new QHead(hidden));
    const initialState = (): Tensor =>
      config.stateInit === 'zero' ? zeros([hidden]) : truncNormal([hidden], { std: 1, generator });
    this.hInit = this.buffer('H_init', initialState());
    this.lInit = this.buffer('L_init', initialState());
    if (config.posEncodings === 'rope')
      this.#rope = ropeTables(totalSeqLen(config), headDim(config), {
        theta: config.ropeTheta,
        // bfloat16 is storage: the rotation is computed in float32.
        dtype: config.forwardDtype === 'float64' ? 'float64' : 'float32',
      });
  }

  /** Where the weights are; states and batches must be there too. */
  get device(): Device {
    return this.hInit.device;
  }

  /** The rotation's tables [S, d], where positions are rotary. */
  get ropeTables(): { cos: Tensor; sin: Tensor } | undefined {
    return this.#rope;
  }

  /** Initial states for a batch: [B, S, D] views of H_init and L_init in forward dtype. */
  initialStates(batchSize: number): States {
    if (requireInteger('initialStates', 'batchSize', batchSize) < 0)
      throw new ShapeError(`initialStates: batchSize must not be negative, got ${batchSize}`);
    const shape = [batchSize, totalSeqLen(this.config), this.config.hidden];
    return { zH: expand(this.#forward(this.hInit), shape), zL: expand(this.#forward(this.lInit), shape) };
  }

  /** In the dtype of the forward pass; gradients come back in that of x. */
  #forward(x: Tensor): Tensor {
    // x itself where it can be: what is packed for the products is kept beside it.
    return x.dtype === this.config.forwardDtype ? x : cast(x, this.config.forwardDtype);
  }
  /** A matrix of weights as the forward pass reads it: in bfloat16 the one copy that training keeps up to date. */
  #matrix(weight: Tensor): Tensor {
    if (this.config.forwardDtype !== 'bfloat16') return this.#forward(weight);
    let copy = this.#copies.get(weight);
    if (copy === undefined) this.#copies.set(weight, (copy = new RoundedCopy(weight)));
    return copy.tensor;
  }
  #forwardBlocks(level: Level): BlockWeights[] {
    return level.weights.map(
      (weights) =>
        Object.fromEntries(
          Object.entries(weights).map(([name, w]) => [name, this.#matrix(w as Tensor)]),
        ) as unknown as BlockWeights,
    );
  }

  /** The bfloat16 copies that passes so far have read, by their master weights; none in another forwardDtype. */
  get roundedCopies(): ReadonlyMap<Tensor, RoundedCopy> {
    return this.#copies;
  }
  /** Rounds the copies again whose master weights were written since: before a step that runs without this object. */
  refreshCopies(): void {
    for (const copy of this.#copies.values()) copy.refresh();
  }

  /**
   * Frees the packed weights that the passes so far have left beside the parameters (as much memory again on the CPU); the next
   * pass packs anew. Between the forward pass and the gradient it costs nothing: the optimizer makes them stale anyway.
   */
  releasePacked(): void {
    for (const [, parameter] of this.namedParameters()) parameter.forgetDerived();
  }

  /**
   * The input embedding x (HRM section 1).
   *
   * @param inputs int32 [B, seqLen]
   * @param puzzleRows [B, puzzleEmbNdim] from `puzzleEmb.rows`
   * @returns [B, S, D] in forward dtype
   */
  inputEmbedding(inputs: Tensor, puzzleRows: Tensor | undefined): Tensor {
    const { hidden, puzzleEmbLen } = this.config;
    let embedding = this.#forward(this.#embedTokens.forward(inputs));
    if (puzzleRows !== undefined) {
      const [batch = 0, width = 0] = requireTensor('inputEmbedding', 'puzzleRows', puzzleRows).shape;
      const padded = pad(this.#forward(puzzleRows), [
        [0, 0],
        [0, puzzleEmbLen * hidden - width],
      ]);
      embedding = concat([reshape(padded, [batch, puzzleEmbLen, hidden]), embedding], 1);
    }
    // The variance of a sum of two, scaled back to that of one.
    if (this.#embedPos) embedding = mul(add(embedding, this.#forward(this.#embedPos.weight)), 0.707106781);
    return mul(embedding, Math.sqrt(hidden));
  }

  #loopOptions(gradSteps: number): LoopOptions {
    const { nHeads, rmsNormEps, hCycles, lCycles } = this.config;
    return { nHeads, eps: rmsNormEps, rope: this.#rope, hCycles, lCycles, gradSteps };
  }

  /**
   * One segment with the one-step gradient (HRM section 2): all but the last `gradSteps` L updates, and the H updates
   * before them, run without gradient in one native call; then the rest with gradient.
   *
   * @param from [B, S, D] each, used as constants
   * @param x [B, S, D]
   * @returns the new states, with their graph
   */
  recur(from: States, x: Tensor): States {
    const { zH, zL } = requireNamed('recur', 'states', from, ['zH', 'zL']);
    const { hCycles, lCycles } = this.config;
    const k = gradLSteps(this.config);
    const options = this.#loopOptions(k);
    const lWeights = this.#forwardBlocks(this.#lLevel);
    const hWeights = this.config.sharedLevels ? lWeights : this.#forwardBlocks(this.#hLevel);

    const n = hCycles * lCycles;
    const fixed = { zH: detached(zH), zL: detached(zL) };
    const states = this.lowMemory
      ? noGrad(() => tidy(() => this.#updates(fixed, x, lWeights, hWeights, 1, n - k)))
      : lLoop(fixed.zH, fixed.zL, x, lWeights, hWeights, options);
    return this.#updates(states, x, lWeights, hWeights, n - k + 1, n);
  }

  /** L updates number `first` to `last` of a segment, from 1, and the H updates among and after them. */
  #updates(from: States, x: Tensor, l: BlockWeights[], h: BlockWeights[], first: number, last: number): States {
    const options = this.#loopOptions(0);
    const run = this.lowMemory ? streamedLevel : level;
    return updateStates(
      from,
      { first, last, lCycles: this.config.lCycles },
      { l: (zL, zH) => run(zL, [zH, x], l, options), h: (zH, zL) => run(zH, [zL], h, options) },
    );
  }

  /**
   * One segment without gradient, all of it in one native call unless `lowMemory`.
   *
   * @param hTokens how many leading tokens of the new zH are wanted; all by default
   */
  recurNoGrad(from: States, x: Tensor, hTokens?: number): States {
    const { zH, zL } = requireNamed('recurNoGrad', 'states', from, ['zH', 'zL']);
    return noGrad(() => {
      const lWeights = this.#forwardBlocks(this.#lLevel);
      const hWeights = this.config.sharedLevels ? lWeights : this.#forwardBlocks(this.#hLevel);
      if (!this.lowMemory) return lLoop(zH, zL, x, lWeights, hWeights, { ...this.#loopOptions(0), hTokens });
      const { hCycles, lCycles } = this.config;
      return tidy(() => {
        const { zH: newH, zL: newL } = this.#updates({ zH, zL }, x, lWeights, hWeights, 1, hCycles * lCycles);
        return { zH: hTokens === undefined ? newH : narrow(newH, 1, 0, hTokens), zL: newL };
      });
    });
  }

  /**
   * One L update, zL = L(zL, zH + x), with its graph: the step that `recur` repeats.
   *
   * @param zL [B, S, D] @param zH [B, S, D] @param x [B, S, D] input embedding
   * @returns the new zL [B, S, D]
   */
  updateL(zL: Tensor, zH: Tensor, x: Tensor): Tensor {
    return tidy(() => level(zL, [zH, x], this.#forwardBlocks(this.#lLevel), this.#loopOptions(0)));
  }

  /** One H update, zH = H(zH, zL), with its graph. @param zH [B, S, D] @param zL [B, S, D] @returns the new zH */
  updateH(zH: Tensor, zL: Tensor): Tensor {
    return tidy(() => level(zH, [zL], this.#forwardBlocks(this.#hLevel), this.#loopOptions(0)));
  }

  /** The language-model head on every token but the puzzle's. @param zH [B, S, D] */
  logits(zH: Tensor): Tensor {
    const { puzzleEmbLen, seqLen } = this.config;
    return linear(narrow(zH, 1, puzzleEmbLen, seqLen), this.#matrix(this.#lmHead.weight));
  }

  /** The Q head on token 0, with the master weights: float32 where activations are bfloat16. @param zH [B, S, D] */
  qValues(zH: Tensor): { qHalt: Tensor; qContinue: Tensor } {
    // float64 stays as it is: the twin of gradient checks.
    const dtype = this.config.forwardDtype === 'float64' ? 'float64' : 'float32';
    const [z, weight, bias] = [select(zH, 1, 0), this.#qHead.weight, this.#qHead.bias].map((t) =>
      t.dtype === dtype ? t : cast(t, dtype),
    ) as [Tensor, Tensor, Tensor];
    const q = linear(z, weight, bias);
    return { qHalt: select(q, 1, 0), qContinue: select(q, 1, 1) };
  }

  heads(zH: Tensor): Heads {
    return { logits: this.logits(zH), ...this.qValues(zH) };
  }

  protected override movable(): Tensor[] {
    return [...super.movable(), ...(this.#rope ? [this.#rope.cos, this.#rope.sin] : [])];
  }

  override dispose(): void {
    super.dispose();
    this.#rope?.cos.dispose();
    this.#rope?.sin.dispose();
    for (const copy of this.#copies.values()) copy.dispose();
  }
}

/** q_head: weight [2, D] zero, bias [2] = -5 (HRM section 1). */
class QHead extends Module {
  readonly weight: Tensor;
  readonly bias: Tensor;
  constructor(hidden: number) {
    super();
    this.weight = this.parameter('weight', zeros([2, hidden]));
    this.bias = this.parameter('bias', full([2], Q_HEAD_BIAS));
  }
}
