/** What is known about an op apart from its code: test/cases has one for each, tests and benches read them. */
import type { HrmError } from '../../ts/error';
import type { Tensor } from '../../ts/index';
import type { DType } from '../../ts/tensor/dtype';
import type { Arr } from './arrays';

export type Shape = readonly number[];
/** Applied by a naive reference to its intermediate results. */
export type Round = (value: number) => number;

export interface Sample<O> {
  /** One an input, lists flattened. */
  readonly shapes: readonly Shape[];
  readonly options: O;
}

export interface Refused {
  readonly what: string;
  readonly run: () => unknown;
  readonly error: new (message: string) => HrmError;
}

export interface OpCase<O = unknown> {
  /** Through the public function. */
  readonly call: (inputs: Tensor[], options: O) => Tensor | Tensor[];
  /**
   * Naive, in float64; `round` where an implementation in a smaller dtype would round, `store` where one made of several
   * kernels would write results of parts to memory.
   */
  readonly reference: (inputs: Arr[], options: O, round: Round, store: Round) => Arr | Arr[];
  /** At least 12, among them one with a size of 0 and one with a single element. */
  readonly samples: readonly Sample<O>[];
  /** What inputs without a dtype of their own may be; all others must be refused with a DTypeError. */
  readonly dtypes: readonly DType[];
  /** Inputs with a dtype of their own, such as indices; no gradients flow to those that are not floating. */
  readonly inputDTypes?: readonly (DType | undefined)[];
  /** dtype of the result (of each, where there are several). Default: that of the inputs. */
  readonly result?: (dtype: DType, options: O) => DType | readonly DType[];
  /** A value of an input from a uniform one in [0, 1). Default: 4u - 2. Keep away from where there is no derivative. */
  readonly value?: (u: number, input: number, sample: Sample<O>) => number;
  /** Tuples of input values whose results must be the reference's, NaN and signs of infinity included. */
  readonly specials?: readonly (readonly number[])[];
  /** Shape of the result where options decide it, as for ops that make tensors. */
  readonly made?: (options: O) => Shape;
  /** Elements of the smallest input that is not empty, where a single one is refused. Default 1. */
  readonly smallest?: number;
  /**
   * Size of the terms that an element of the result is a sum of. Default: the largest input or result, which hides errors
   * in small elements where they are not such sums. Given, errors are judged element by element.
   */
  readonly termScale?: (inputs: readonly Arr[], result: Arr, element: number) => number;
  /** Each element of the result depends on few numbers: errors are judged element by element. */
  readonly elementwise?: boolean;
  /**
   * A chain of kernels, each of which rounds what it writes: on accelerators bfloat16 results are judged together, and
   * gradients by the tensor that is rounded most.
   */
  readonly chain?: boolean;
  /** Whether gradients flow; if not, why. */
  readonly gradient: true | string;
  readonly refused: readonly Refused[];
  /** Shapes worth timing. */
  readonly bench?: readonly Sample<O>[];
}

/** Checks a case against the type of its options and forgets them, so that cases fit into one table. */
export function opCase<O>(spec: OpCase<O>): OpCase {
  return spec as unknown as OpCase;
}

export function samples<O>(options: O, ...shapes: (readonly Shape[])[]): Sample<O>[] {
  return shapes.map((each) => ({ shapes: each, options }));
}

export const ALL_DTYPES: readonly DType[] = ['bool', 'uint8', 'int32', 'bfloat16', 'float32', 'float64'];
export const NUMBERS: readonly DType[] = ['uint8', 'int32', 'bfloat16', 'float32', 'float64'];
export const FLOATS: readonly DType[] = ['bfloat16', 'float32', 'float64'];

const UNARY_SHAPES: readonly Shape[] = [
  [],
  [1],
  [0],
  [7],
  [33],
  [2, 3],
  [3, 0, 2],
  [1, 1],
  [5, 1],
  [1, 6],
  [2, 3, 4],
  [2, 1, 3, 2],
  [70],
];
/** Samples of an op of one tensor that takes any shape. */
export const unarySamples: readonly Sample<undefined>[] = UNARY_SHAPES.map((shape) => ({
  shapes: [shape],
  options: undefined,
}));

/** Samples of a broadcasting op of two tensors. */
export const binarySamples: readonly Sample<undefined>[] = samples(
  undefined,
  [[], []],
  [[1], [1]],
  [[0], [0]],
  [[5], [5]],
  [[37], [37]],
  [
    [2, 3],
    [2, 3],
  ],
  [[2, 3], [3]],
  [[3], [2, 3]],
  [
    [2, 1],
    [1, 3],
  ],
  [[4, 5], []],
  [[], [2, 2]],
  [
    [3, 0],
    [3, 1],
  ],
  [
    [2, 3, 4],
    [2, 1, 4],
  ],
  [
    [2, 3, 1, 2],
    [3, 4, 1],
  ],
);
