/** Compares the gradients of the tape with central differences in float64. */
import { type Tensor, tensor, tidy, vjp } from '../../ts/index';
import { isFloat } from '../../ts/tensor/dtype';
import { type Arr, randomSource } from './arrays';
import { asList, inLayout, type Layout, toArr } from './inputs';
import { GRADCHECK_BOUND, GRADCHECK_STEP } from './tolerance';

const MAX_ELEMENTS = 40;

export type Differentiable = (inputs: Tensor[]) => Tensor | readonly Tensor[];

export interface GradcheckInput {
  readonly value: Arr;
  /** Default float64; others (indices) get no gradient. */
  readonly dtype?: 'float64' | 'int32' | 'uint8' | 'bool';
  readonly layout?: Layout;
}

/** @throws Error naming the first input and element whose gradient is off */
export function gradcheck(name: string, fn: Differentiable, inputs: readonly GradcheckInput[]): void {
  tidy(() => {
    const tensors = inputs.map(({ value, dtype, layout }) =>
      inLayout(value, dtype ?? 'float64', layout ?? 'contiguous'),
    );
    const varied = inputs.flatMap(({ dtype }, i) => (dtype === undefined || dtype === 'float64' ? [i] : []));
    const floats = (all: readonly Tensor[]): Tensor[] => asList(fn([...all])).filter((y) => isFloat(y.dtype));
    const analytic = gradientsOf(name, floats, tensors, varied);
    for (const [nth, input] of varied.entries()) {
      const only = gradientsOf(name, floats, tensors, [input]);
      expectSame(name, input, analytic.gradients[nth] as Arr, only.gradients[0] as Arr);
      const { value } = inputs[input] as GradcheckInput;
      for (const element of chosen(value.data.length)) {
        const slope = centralDifference(floats, tensors, inputs, input, element, analytic.weights);
        const found = (analytic.gradients[nth] as Arr).data[element] as number;
        if (!(Math.abs(found - slope) <= GRADCHECK_BOUND * Math.max(1, Math.abs(slope))))
          throw new Error(
            `${name}: gradient of input ${input} of shape [${value.shape.join(', ')}] at element ${element}: ` +
              `${found}, central differences give ${slope}`,
          );
      }
    }
  });
}

/** All elements of small inputs, some of large ones, spread over them. */
function chosen(size: number): number[] {
  const step = Math.max(1, size / MAX_ELEMENTS);
  return Array.from({ length: Math.min(size, MAX_ELEMENTS) }, (_, i) => Math.floor(i * step));
}

/** Of the outputs summed with fixed random weights. */
function gradientsOf(
  name: string,
  fn: (all: readonly Tensor[]) => Tensor[],
  tensors: readonly Tensor[],
  varied: readonly number[],
): { gradients: Arr[]; weights: Arr[] } {
  const { outputs, pullback } = vjp(
    (...leaves) => fn(tensors.map((t, i) => leaves[varied.indexOf(i)] ?? t)),
    ...varied.map((i) => tensors[i] as Tensor),
  );
  const random = randomSource(`weights of ${name}`);
  const weights = outputs.map((y) => ({ shape: y.shape, data: new Float64Array(y.size).map(() => 2 * random() - 1) }));
  const seeds = weights.map(({ shape, data }) => tensor(data, { shape, dtype: 'float64' }));
  const gradients = pullback(...seeds).map((gradient, nth) => {
    const input = tensors[varied[nth] as number] as Tensor;
    if (gradient.shape.join() !== input.shape.join() || gradient.dtype !== input.dtype)
      throw new Error(
        `${name}: the gradient is ${gradient.dtype} [${gradient.shape.join(', ')}], ` +
          `its input ${input.dtype} [${input.shape.join(', ')}]`,
      );
    return toArr(gradient);
  });
  return { gradients, weights };
}

function centralDifference(
  fn: (all: readonly Tensor[]) => Tensor[],
  tensors: readonly Tensor[],
  inputs: readonly GradcheckInput[],
  input: number,
  element: number,
  weights: readonly Arr[],
): number {
  return tidy(() => {
    const { value, layout } = inputs[input] as GradcheckInput;
    const x = value.data[element] as number;
    const step = GRADCHECK_STEP * Math.max(1, Math.abs(x));
    const at = (moved: number): Arr[] => {
      const data = Float64Array.from(value.data);
      data[element] = moved;
      const changed = inLayout({ shape: value.shape, data }, 'float64', layout ?? 'contiguous');
      return fn(tensors.map((t, i) => (i === input ? changed : t))).map(toArr);
    };
    const up = at(x + step);
    const down = at(x - step);
    let difference = 0;
    weights.forEach((weight, i) => {
      weight.data.forEach((w, j) => {
        difference += w * ((up[i]?.data[j] as number) - (down[i]?.data[j] as number));
      });
    });
    return difference / (x + step - (x - step));
  });
}

/** What is saved may depend on which inputs want gradients; the gradients may not. */
function expectSame(name: string, input: number, all: Arr, alone: Arr): void {
  all.data.forEach((value, i) => {
    if (!Object.is(value, alone.data[i]) && value !== alone.data[i])
      throw new Error(
        `${name}: gradient of input ${input} is ${alone.data[i]} when only it is wanted, ${value} when all are`,
      );
  });
}
