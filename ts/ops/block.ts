import { ArgumentError } from '../error';
import { readArray, readFields } from '../tensor/arguments';
import { describe } from '../tensor/dtype';
import type { Tensor } from '../tensor/tensor';
import { add } from './arithmetic';
import { requireInteger, requireNamed } from './arguments';
import { attention } from './attention';
import { linear } from './linear';
import { rmsNorm } from './rms_norm';
import { rope } from './rope';
import { swiglu } from './swiglu';
import { reshape, transpose } from './reshape';
import { select } from './slice';

/** Weights of a block whose tokens mix by attention. */
export interface AttentionWeights {
  /** [3D, D]: q heads, then k heads, then v heads. */
  qkv: Tensor;
  /** [D, D] */
  o: Tensor;
  /** [2F, D]: gate rows first. */
  gateUp: Tensor;
  /** [D, F] */
  down: Tensor;
}

/** Weights of a block whose tokens mix by a SwiGLU over the sequence axis (TRM's mlpT). */
export interface SequenceMlpWeights {
  /** [2F', S] */
  tGateUp: Tensor;
  /** [S, F'] */
  tDown: Tensor;
  gateUp: Tensor;
  down: Tensor;
}

export type BlockWeights = AttentionWeights | SequenceMlpWeights;

export interface BlockOptions {
  nHeads: number;
  /** Of both rmsNorms. */
  eps: number;
  /** Tables [>= S, d]; left out: no rotation. */
  rope?: { cos: Tensor; sin: Tensor };
}

/** The weights of blocks that a caller gives. */
export function requireWeights(op: string, name: string, value: unknown): BlockWeights[] {
  return readArray(op, name, value, 'an array of blocks').map((item, i) => {
    const where = `${name}[${i}]`;
    const { tGateUp } = readFields(op, where, item as { tGateUp?: unknown }, ['tGateUp']);
    return tGateUp === undefined
      ? requireNamed(op, where, item, ['qkv', 'o', 'gateUp', 'down'])
      : requireNamed(op, where, item, ['tGateUp', 'tDown', 'gateUp', 'down']);
  });
}

/** The options of blocks that a caller gives. */
export function requireBlockOptions(op: string, options: BlockOptions): BlockOptions {
  const { nHeads, eps, rope: tables } = readFields(op, 'options', options, ['nHeads', 'eps', 'rope']);
  if (requireInteger(op, 'nHeads', nHeads) < 1)
    throw new ArgumentError(`${op}: nHeads must be at least 1, got ${nHeads}`);
  if (typeof eps !== 'number') throw new ArgumentError(`${op}: eps must be a number, got ${describe(eps)}`);
  return { nHeads, eps, ...(tables === undefined ? {} : { rope: requireNamed(op, 'rope', tables, ['cos', 'sin']) }) };
}

function mixByAttention(h: Tensor, weights: AttentionWeights, options: BlockOptions): Tensor {
  const [batch, seqLen, hidden] = h.shape as [number, number, number];
  const { nHeads } = options;
  const qkv = reshape(linear(h, weights.qkv), [batch, seqLen, 3, nHeads, hidden / nHeads]);
  const rotate = (x: Tensor): Tensor => (options.rope ? rope(x, options.rope.cos, options.rope.sin) : x);
  const y = attention(rotate(select(qkv, 2, 0)), rotate(select(qkv, 2, 1)), select(qkv, 2, 2));
  return linear(reshape(y, [batch, seqLen, hidden]), weights.o);
}

function mlp(h: Tensor, gateUp: Tensor, down: Tensor): Tensor {
  return linear(swiglu(linear(h, gateUp)), down);
}

/**
 * One post-norm block in generic ops (HRM section 1): h = rmsNorm(h + mixer(h)); h = rmsNorm(h + swiglu(h)).
 *
 * @param h [B, S, D]
 * @returns [B, S, D]
 */
export function block(h: Tensor, weights: BlockWeights, options: BlockOptions): Tensor {
  const { eps } = options;
  let mixed: Tensor;
  if ('qkv' in weights) {
    mixed = rmsNorm(add(h, mixByAttention(h, weights, options)), { eps });
  } else {
    // The norm, too, runs over the sequence axis.
    const t = transpose(h, 1, 2);
    mixed = transpose(rmsNorm(add(t, mlp(t, weights.tGateUp, weights.tDown)), { eps }), 1, 2);
  }
  return rmsNorm(add(mixed, mlp(mixed, weights.gateUp, weights.down)), { eps });
}
