import { ArgumentError, ShapeError, swiglu, type Tensor, tensor, zeros } from '../../ts/index';
import { swigluBackwardOp } from '../../ts/ops/swiglu';
import { type Arr, arr } from '../support/arrays';
import { FLOATS, opCase, type Round, type Shape } from '../support/op_case';
import { rowOf, SHAPES } from './rms_norm';

const doubled = (shape: Shape): Shape => [...shape.slice(0, -1), 2 * (shape.at(-1) as number)];
const sigmoid = (x: number, round: Round): number => round(1 / round(1 + round(Math.exp(-x))));

/** Maps (gate, up, number of the element) over the elements of a result of shape [..., F]. */
function elements(gateUp: Arr, f: (gate: number, up: number, flat: number) => readonly number[]): number[][][] {
  const n = (gateUp.shape.at(-1) as number) / 2;
  const rows = n === 0 ? 0 : gateUp.data.length / (2 * n);
  return Array.from({ length: rows }, (_, row) => {
    const values = rowOf(gateUp, row, 2 * n);
    return Array.from({ length: n }, (__, i) => [...f(values[i] as number, values[n + i] as number, row * n + i)]);
  });
}

export const swigluCase = opCase<undefined>({
  termScale: (_, y, i) => Math.abs(y.data[i]!),
  call: ([gateUp]) => swiglu(gateUp as Tensor),
  reference: ([gateUp], _options, round) => {
    const { shape } = gateUp as Arr;
    const values = elements(gateUp as Arr, (gate, up) => [round(round(gate * sigmoid(gate, round)) * up)]);
    return arr([...shape.slice(0, -1), (shape.at(-1) as number) / 2], values.flat(2));
  },
  samples: SHAPES.map((shape) => ({ shapes: [doubled(shape)], options: undefined })).concat({
    shapes: [[1, 2]],
    options: undefined,
  }),
  dtypes: FLOATS,
  smallest: 2,
  gradient: true,
  refused: [
    { what: 'a scalar', run: () => swiglu(tensor(1)), error: ShapeError },
    { what: 'an odd width', run: () => swiglu(zeros([2, 3])), error: ShapeError },
    { what: 'an array', run: () => swiglu([1, 2] as unknown as Tensor), error: ArgumentError },
  ],
  bench: [{ shapes: [[984, 3072]], options: undefined }],
});

export const swigluBackwardCase = opCase<undefined>({
  call: ([dy, gateUp]) => swigluBackwardOp.one([dy as Tensor, gateUp as Tensor]),
  reference: ([dy, gateUp], _options, round) => {
    const rows = elements(gateUp as Arr, (gate, up, flat) => {
      const s = sigmoid(gate, round);
      const d = (dy as Arr).data[flat] as number;
      const slope = round(s * round(1 + round(gate * round(1 - s))));
      return [round(round(d * up) * slope), round(round(d * gate) * s)];
    });
    return arr(
      (gateUp as Arr).shape,
      rows.flatMap((row) => [...row.map((pair) => pair[0] as number), ...row.map((pair) => pair[1] as number)]),
    );
  },
  samples: SHAPES.map((shape) => ({ shapes: [shape, doubled(shape)], options: undefined })),
  dtypes: FLOATS,
  gradient: 'is a gradient',
  refused: [
    { what: 'a dy of another shape', run: () => swigluBackwardOp.one([zeros([3]), zeros([8])]), error: ShapeError },
    { what: 'an odd width', run: () => swigluBackwardOp.one([zeros([1]), zeros([3])]), error: ShapeError },
  ],
});
