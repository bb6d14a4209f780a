import { ArgumentError } from '../error';
import { readOptions } from '../tensor/arguments';
import { zeros, tensor } from '../tensor/create';
import { describe, dtypeCode } from '../tensor/dtype';
import { nativeCall } from '../tensor/invoke';
import type { Tensor } from '../tensor/tensor';
import { requireInteger, requireTensor } from './arguments';
import { defineOp, type Op } from './define';

export const ropeOp: Op<'rope'> = defineOp('rope', {
  save: ['cos', 'sin'],
  vjp: ({ dy, saved, attrs }) => [
    ropeOp.one([dy, saved.cos, saved.sin], { transposed: !attrs.transposed }),
    undefined,
    undefined,
  ],
});

/**
 * Rotary position embedding, rotate-half convention (arXiv 2104.09864): x cos + rotateHalf(x) sin, computed in float32
 * (float64 for float64) and cast back. The tables get no gradient.
 *
 * @param x [..., S, H, d], d even; any strides
 * @param cos [n, d], n >= S; see ropeTables
 * @param sin [n, d]
 * @throws ShapeError, DTypeError
 */
export function rope(x: Tensor, cos: Tensor, sin: Tensor): Tensor {
  const dtype = requireTensor('rope', 'x', x).dtype === 'float64' ? 'float64' : 'float32';
  const table = (t: Tensor): Tensor =>
    t.dtype === dtype ? t : nativeCall('cast').one([t], { dtype: dtypeCode(dtype, 'rope') });
  return ropeOp.one([x, table(requireTensor('rope', 'cos', cos)), table(requireTensor('rope', 'sin', sin))], {
    transposed: false,
  });
}

/**
 * Tables for `rope`: cos and sin of position * theta^(-2i/d), both halves alike.
 *
 * @param nPositions rows of the tables
 * @param headDim d, even
 * @param options theta: default 10000; dtype: float32 (default) rounds every step to float32, as PyTorch does
 * @returns cos and sin [nPositions, headDim]
 */
export function ropeTables(
  nPositions: number,
  headDim: number,
  options: { theta?: number; dtype?: 'float32' | 'float64' } = {},
): { cos: Tensor; sin: Tensor } {
  const { theta = 10000, dtype = 'float32' } = readOptions('ropeTables', options, ['theta', 'dtype']);
  if (requireInteger('ropeTables', 'nPositions', nPositions) < 0)
    throw new ArgumentError(`ropeTables: nPositions must be non-negative, got ${nPositions}`);
  if (requireInteger('ropeTables', 'headDim', headDim) < 0 || headDim % 2 !== 0)
    throw new ArgumentError(`ropeTables: headDim must be even and non-negative, got ${headDim}`);
  if (typeof theta !== 'number' || !(theta > 0) || !Number.isFinite(theta))
    throw new ArgumentError(`ropeTables: theta must be positive and finite, got ${describe(theta)}`);
  const round = dtype === 'float64' ? (value: number): number => value : Math.fround;
  const half = headDim / 2;
  // Whether there is room is the engine's business: it refuses what the machine has no memory for.
  zeros([nPositions, headDim], { dtype: 'float64' }).dispose();
  const cos = new Float64Array(nPositions * headDim);
  const sin = new Float64Array(nPositions * headDim);
  for (let i = 0; i < half; ++i) {
    const frequency = round(1 / round(theta ** round((2 * i) / headDim)));
    for (let position = 0; position < nPositions; ++position) {
      const angle = round(position * frequency);
      for (const at of [position * headDim + i, position * headDim + half + i]) {
        cos[at] = Math.cos(angle);
        sin[at] = Math.sin(angle);
      }
    }
  }
  const shape = [nPositions, headDim];
  return { cos: tensor(cos, { shape, dtype }), sin: tensor(sin, { shape, dtype }) };
}
