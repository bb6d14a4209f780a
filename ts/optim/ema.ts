import { noGrad } from '../autograd/no_grad';
import { ArgumentError } from '../error';
import { copy_ } from '../ops/cast';
import { ema_ } from '../ops/optimizers';
import { readOptions, requireFunction } from '../tensor/arguments';
import { zeros } from '../tensor/create';
import { keep } from '../tensor/scope';
import { describe } from '../tensor/dtype';
import type { Tensor } from '../tensor/tensor';
import { type NamedTensor, requireParameters, restoreState } from './state';

function copies(tensors: readonly Tensor[]): Tensor[] {
  return noGrad(() => tensors.map((t) => keep(copy_(zeros(t.shape, { dtype: t.dtype, device: t.device }), t))));
}

/** Exponential moving averages of parameters (HRM section 4), beginning at their values when it is made. */
export class Ema {
  readonly #names: readonly string[];
  readonly #weights: Tensor[];
  readonly #averages: Tensor[];
  readonly #decay: number;
  #swapped = false;

  /** @param options.decay share of the old average that an update keeps, such as 0.999 */
  constructor(parameters: readonly NamedTensor[], options: { readonly decay: number }) {
    const { decay } = readOptions('Ema', options, ['decay']);
    const named = requireParameters('Ema', parameters);
    if (typeof decay !== 'number' || !(decay >= 0 && decay <= 1))
      throw new ArgumentError(`Ema: decay must be in [0, 1], got ${describe(decay)}`);
    this.#names = named.map(([name]) => name);
    this.#weights = named.map(([, weight]) => weight);
    this.#averages = copies(this.#weights);
    this.#decay = decay;
  }

  /** Takes in the current weights; where `finite` (bool []) is false nothing changes. */
  update(finite: Tensor): void {
    noGrad(() => {
      ema_(this.#averages, this.#weights, finite, { decay: this.#decay });
    });
  }

  /** Copies the averages into the parameters, for good. */
  apply(): void {
    noGrad(() => {
      this.#weights.forEach((weight, i) => copy_(weight, this.#averages[i]!));
    });
  }

  /** Runs `fn` with the averages in the parameters and puts the trained values back, whatever happens. */
  async swapped<R>(fn: () => Promise<R>): Promise<R> {
    requireFunction('Ema.swapped', 'fn', fn);
    if (this.#swapped) throw new ArgumentError('Ema.swapped: the averages are in the parameters already');
    this.#swapped = true;
    const trained = copies(this.#weights);
    try {
      this.apply();
      return await fn();
    } finally {
      noGrad(() => {
        this.#weights.forEach((weight, i) => copy_(weight, trained[i]!));
      });
      for (const tensor of trained) tensor.dispose();
      this.#swapped = false;
    }
  }

  /** The living averages under the parameters' names. */
  stateDict(): Map<string, Tensor> {
    return new Map(this.#names.map((name, i) => [name, this.#averages[i]!]));
  }

  /** @throws FormatError when it is not the state of these parameters */
  loadStateDict(state: ReadonlyMap<string, Tensor>): void {
    restoreState('Ema.loadStateDict', this.stateDict(), state);
  }

  dispose(): void {
    for (const average of this.#averages) average.dispose();
  }
}
