import { types } from 'node:util';
import { noGrad } from '../autograd/no_grad';
import { RoundedCopy } from '../autograd/rounded_copy';
import { ArgumentError, DeviceError, DisposedError } from '../error';
import { addOp, mul } from '../ops/arithmetic';
import { cast } from '../ops/cast';
import { logicalAnd } from '../ops/compare';
import { adamAtan2_, type AdamTensors } from '../ops/optimizers';
import { isInstance, readOptions } from '../tensor/arguments';
import { zeros } from '../tensor/create';
import { describe } from '../tensor/dtype';
import { keep, tidy } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { type NamedTensor, requireParameters, requireScalar, restoreState } from './state';

export interface AdamOptions {
  /** Share of the old mean gradient that an update keeps, in [0, 1). Default 0.9. */
  readonly beta1?: number;
  /** The same of the mean square. Default 0.95. */
  readonly beta2?: number;
  /** Share of a parameter taken off it for each unit of learning rate, at least 0. Default 0. */
  readonly weightDecay?: number;
  /**
   * Learning rate of some parameters over that of a step, by name, at least 0: the rate of a parameter group. The decay, which
   * is per unit of learning rate, goes with it. Default 1.
   */
  readonly lrRatios?: ReadonlyMap<string, number>;
  /** bfloat16 copies of parameters that updates write too, by parameter; those there are when an update is made. */
  readonly copies?: ReadonlyMap<Tensor, RoundedCopy>;
}

/**
 * AdamATan2 on dense parameters (HRM section 4, arXiv 2407.05872): Adam whose division is an arctangent, so that it has no
 * epsilon. Decay is decoupled and applies to every parameter. Reads nothing on the host.
 */
export class AdamATan2 {
  readonly #parameters: readonly NamedTensor[];
  readonly #m: Tensor[];
  readonly #v: Tensor[];
  /** Updates made, int32 []. */
  readonly #step: Tensor;
  readonly #options: Required<Omit<AdamOptions, 'copies' | 'lrRatios'>>;
  /** One for each parameter. */
  readonly #lrRatios: readonly number[];
  readonly #copies: ReadonlyMap<Tensor, RoundedCopy>;
  /** What `begin` began: whether it counts, bool [], and the parameters that have not had their share. */
  #begun: { finite: Tensor; waiting: Set<Tensor> } | undefined;

  /** @throws ArgumentError for no parameters or options out of range */
  constructor(parameters: readonly NamedTensor[], options: AdamOptions = {}) {
    const given = readOptions('AdamATan2', options, ['beta1', 'beta2', 'weightDecay', 'lrRatios', 'copies']);
    const { beta1 = 0.9, beta2 = 0.95, weightDecay = 0, lrRatios = new Map(), copies = new Map() } = given;
    const named = requireParameters('AdamATan2', parameters);
    if (named.length === 0) throw new ArgumentError('AdamATan2: there must be at least one parameter');
    for (const [name, beta] of Object.entries({ beta1, beta2 }))
      if (typeof beta !== 'number' || !(beta >= 0 && beta < 1))
        throw new ArgumentError(`AdamATan2: ${name} must be in [0, 1), got ${describe(beta)}`);
    if (typeof weightDecay !== 'number' || !(weightDecay >= 0 && weightDecay < Infinity))
      throw new ArgumentError(`AdamATan2: weightDecay must be finite and at least 0, got ${describe(weightDecay)}`);
    if (!types.isMap(copies)) throw new ArgumentError(`AdamATan2: copies must be a Map, got ${describe(copies)}`);
    this.#lrRatios = requireRatios(lrRatios, named);
    this.#parameters = named;
    this.#copies = copies;
    this.#options = { beta1, beta2, weightDecay };
    const moments = (): Tensor[] => named.map(([, p]) => keep(zeros(p.shape, { dtype: p.dtype, device: p.device })));
    this.#m = moments();
    this.#v = moments();
    this.#step = keep(zeros([], { dtype: 'int32', device: named[0]![1].device }));
  }

  /**
   * One update from the parameters' `.grad`; a parameter without one stays as it is.
   *
   * @param lr float32 or float64 [], finite: its value stays on the device and is not checked
   * @param finite bool []: where it is false nothing changes
   * @throws ShapeError, DTypeError, DeviceError, DisposedError; then nothing has changed
   */
  step(lr: Tensor, finite: Tensor): void {
    const withGradient = [...this.#parameters.keys()].filter((i) => this.#parameters[i]![1].grad !== undefined);
    noGrad(() => {
      tidy(() => {
        const update = this.#prepare('AdamATan2.step', [...this.#parameters.keys()], withGradient, lr, finite);
        this.#count(finite);
        update();
      });
    });
    this.#end();
  }

  /**
   * Begins an update that is made parameter by parameter with `update`, as their gradients arrive (`onGradient` of `backward`).
   *
   * @param finite bool []: where it is false the update is not counted and changes nothing
   * @throws DTypeError, ShapeError, DisposedError; then nothing has changed
   */
  begin(finite: Tensor): void {
    requireAlive('AdamATan2.begin', 'this optimizer', this.#step);
    requireScalar('AdamATan2.begin', 'finite', finite, ['bool']);
    noGrad(() => {
      tidy(() => {
        const counts = logicalAnd(finite, finite);
        this.#count(finite);
        this.#end();
        this.#begun = { finite: keep(counts), waiting: new Set(this.#parameters.map(([, parameter]) => parameter)) };
      });
    });
  }

  #end(): void {
    this.#begun?.finite.dispose();
    this.#begun = undefined;
  }

  /**
   * The share of one parameter in the update that `begin` began, from its `.grad`: all of them together do what `step` does.
   *
   * @param parameter one of this optimizer's, with a gradient @param lr as in `step`
   * @param finite bool []: where it or that of `begin` is false nothing changes
   * @throws ArgumentError for any other parameter, one that had its share or before `begin`, and what `step` throws; then
   * nothing has changed
   */
  update(parameter: Tensor, lr: Tensor, finite: Tensor): void {
    const index = this.#parameters.findIndex(([, own]) => own === parameter);
    if (index < 0 || parameter.grad === undefined)
      throw new ArgumentError('AdamATan2.update: parameter must be one of this optimizer, with a gradient');
    const begun = this.#begun;
    // Without the count the correction of the moments would divide by zero; a second share would be a second update.
    if (!begun?.waiting.has(parameter))
      throw new ArgumentError(
        `AdamATan2.update: ${this.#parameters[index]![0]} must be updated once after each begin, got ${begun ? 'a second update' : 'no begin'}`,
      );
    requireScalar('AdamATan2.update', 'finite', finite, ['bool']);
    noGrad(() => {
      tidy(() => {
        this.#prepare('AdamATan2.update', [index], [index], lr, logicalAnd(begun.finite, finite))();
      });
    });
    begun.waiting.delete(parameter);
  }

  #count(finite: Tensor): void {
    addOp.into([this.#step, cast(finite, 'int32')]);
  }

  /**
   * Everything is checked, and has its memory, before the first write: one group must not be updated when another cannot be.
   *
   * @param of the parameters whose tensors must be alive @param withGradient those of them to update
   */
  #prepare(op: string, of: readonly number[], withGradient: readonly number[], lr: Tensor, finite: Tensor): () => void {
    this.#requireAlive(op, of);
    const moved = withGradient.find((i) => this.#m[i]!.device !== this.#parameters[i]![1].device);
    if (moved !== undefined)
      throw new DeviceError(
        `${op}: ${this.#parameters[moved]![0]} must be on ${this.#m[moved]!.device}, where it was when this optimizer ` +
          `was made, got ${this.#parameters[moved]![1].device}; make the optimizer after model.to()`,
      );
    requireScalar(op, 'lr', lr, ['float32', 'float64']);
    requireScalar(op, 'finite', finite, ['bool']);
    const updates = [...new Set(this.#lrRatios)].map((ratio) => ({
      lr: ratio === 1 ? lr : mul(lr, ratio),
      ...this.#tensorsOf(withGradient.filter((i) => this.#lrRatios[i] === ratio)),
    }));
    return () => {
      for (const { lr, tensors, copies } of updates) {
        if (tensors.parameters.length === 0) continue;
        adamAtan2_(tensors, { step: this.#step, lr, finite }, this.#options);
        for (const copy of copies) copy.written();
      }
    };
  }

  #requireAlive(op: string, indices: readonly number[]): void {
    requireAlive(op, 'this optimizer', this.#step);
    for (const i of indices) {
      const [name, parameter] = this.#parameters[i]!;
      requireAlive(op, name, parameter);
      requireAlive(op, `the gradient of ${name}`, parameter.grad);
      requireAlive(op, `m.${name}`, this.#m[i]);
      requireAlive(op, `v.${name}`, this.#v[i]);
    }
  }

  /** What an update of these parameters, which have gradients, reads and writes. */
  #tensorsOf(indices: readonly number[]): { tensors: AdamTensors; copies: readonly RoundedCopy[] } {
    const parameters = this.#parameters.map(([, p]) => p);
    const hasCopy = (i: number): boolean => this.#copies.has(parameters[i]!);
    // The op takes those with a copy first.
    const copied = indices.filter(hasCopy);
    const used = [...copied, ...indices.filter((i) => !hasCopy(i))];
    const copies = copied.map((i) => requireCopy(this.#copies.get(parameters[i]!)));
    const pick = (list: readonly Tensor[]): Tensor[] => used.map((i) => list[i]!);
    const tensors = {
      parameters: pick(parameters),
      m: pick(this.#m),
      v: pick(this.#v),
      gradients: used.map((i) => parameters[i]!.grad!),
      copies: copies.map((copy) => copy.tensor),
    };
    return { tensors, copies };
  }

  /** The living state by name: `step`, `m.<parameter>`, `v.<parameter>`. */
  stateDict(): Map<string, Tensor> {
    const moments = (prefix: string, list: readonly Tensor[]): [string, Tensor][] =>
      this.#parameters.map(([name], i) => [`${prefix}.${name}`, list[i]!]);
    return new Map([['step', this.#step], ...moments('m', this.#m), ...moments('v', this.#v)]);
  }

  /** @throws FormatError when it is not the state of these parameters */
  loadStateDict(state: ReadonlyMap<string, Tensor>): void {
    restoreState('AdamATan2.loadStateDict', this.stateDict(), state);
    // Its count may be another.
    this.#end();
  }

  dispose(): void {
    for (const tensor of this.stateDict().values()) tensor.dispose();
    this.#end();
  }
}

/** @throws DisposedError that names what has been disposed */
function requireAlive(op: string, what: string, tensor: Tensor | undefined): void {
  if (tensor?.isDisposed) throw new DisposedError(`${op}: ${what} has been disposed`);
}

/** The ratio of each parameter. */
function requireRatios(value: unknown, parameters: readonly NamedTensor[]): number[] {
  if (!types.isMap(value)) throw new ArgumentError(`AdamATan2: lrRatios must be a Map, got ${describe(value)}`);
  const given = new Map<unknown, unknown>();
  Map.prototype.forEach.call(value, (ratio: unknown, name: unknown) => given.set(name, ratio));
  for (const name of given.keys())
    if (!parameters.some(([own]) => own === name))
      throw new ArgumentError(`AdamATan2: lrRatios must name parameters of this optimizer, got ${describe(name)}`);
  return parameters.map(([name]) => {
    const ratio: unknown = given.has(name) ? given.get(name) : 1;
    // In float32, as the rate that it is multiplied with.
    if (typeof ratio === 'number' && ratio >= 0 && Math.fround(ratio) < Infinity) return ratio;
    throw new ArgumentError(`AdamATan2: lrRatios: ${name} must be finite and at least 0, got ${describe(ratio)}`);
  });
}

function requireCopy(value: unknown): RoundedCopy {
  if (isInstance(value, RoundedCopy)) return value;
  throw new ArgumentError(`AdamATan2: copies must be those of a model (roundedCopies), got ${describe(value)}`);
}
