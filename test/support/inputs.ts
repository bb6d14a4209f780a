/** Inputs of a sample: values, tensors in several memory layouts, results back as arrays. */
import { type Device, type Tensor, tensor } from '../../ts/index';
import type { DType } from '../../ts/tensor/dtype';
import { invokeView } from '../../ts/tensor/invoke';
import { type Arr, arr, randomSource, sizeOf, unravel } from './arrays';
import type { OpCase, Sample } from './op_case';

export const LAYOUTS = ['contiguous', 'transposed', 'strided'] as const;
export type Layout = (typeof LAYOUTS)[number];

/** dtype of an input, and whether it is one of its own. */
export function inputDType(spec: OpCase, input: number, dtype: DType): DType {
  return spec.inputDTypes?.[input] ?? dtype;
}

function fitting(value: number, u: number, dtype: DType): number {
  if (dtype === 'bool') return u < 0.5 ? 0 : 1;
  if (dtype === 'int32') return Math.trunc(value * 3);
  return dtype === 'uint8' ? Math.abs(Math.trunc(value * 3)) : value;
}

/** The inputs of a sample, the same every time. Not yet rounded to the dtype. */
export function valuesOf(name: string, spec: OpCase, sample: Sample<unknown>, index: number, dtype: DType): Arr[] {
  return sample.shapes.map((shape, input) => {
    const random = randomSource(`${name} ${index} ${input}`);
    const own = spec.inputDTypes?.[input];
    return arr(
      shape,
      Array.from({ length: sizeOf(shape) }, () => {
        const u = random();
        const value = spec.value?.(u, input, sample) ?? 4 * u - 2;
        return own === undefined ? fitting(value, u, dtype) : value;
      }),
    );
  });
}

/** A tensor of the given values in the given memory layout (where the shape has one such). */
export function inLayout(x: Arr, dtype: DType, layout: Layout, device: Device = 'cpu'): Tensor {
  const rank = x.shape.length;
  const plain = (shape: readonly number[], data: ArrayLike<number>): Tensor =>
    tensor(Float64Array.from(data), { shape, dtype, device });
  if (layout === 'contiguous' || rank === 0) return plain(x.shape, x.data);
  if (layout === 'transposed') {
    const dims = x.shape.map((_, d) => rank - 1 - d);
    const shape = dims.map((d) => x.shape[d] as number);
    const data = new Float64Array(x.data.length);
    x.data.forEach((value, flat) => {
      const index = unravel(flat, x.shape);
      data[dims.reduce((at, d) => at * (x.shape[d] as number) + (index[d] as number), 0)] = value;
    });
    return invokeView('permute', plain(shape, data), { dims });
  }
  const last = x.shape[rank - 1] as number;
  const wide = new Float64Array(sizeOf(x.shape.slice(0, -1)) * (2 * last + 2)).fill(7);
  x.data.forEach((value, flat) => {
    wide[Math.floor(flat / last) * (2 * last + 2) + 2 * (flat % last) + 1] = value;
  });
  const whole = plain([...x.shape.slice(0, -1), 2 * last + 2], wide);
  return invokeView('slice', whole, { dim: -1, start: 1, stop: 2 * last + 1, step: 2 });
}

/** The values of a tensor, exactly (bfloat16, float32 and integers fit into float64). */
export function toArr(t: Tensor): Arr {
  return arr(t.shape, t.dataSync());
}

export function asList<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? (value as readonly T[]) : [value as T];
}
