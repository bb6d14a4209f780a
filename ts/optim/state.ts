import { noGrad } from '../autograd/no_grad';
import { FormatError } from '../error';
import { copy_ } from '../ops/cast';
import type { Tensor } from '../tensor/tensor';

/** A parameter under its name in the state dict. */
export type NamedTensor = readonly [name: string, tensor: Tensor];

/**
 * Copies saved values into an optimizer's state.
 * @throws FormatError when a name is missing or unknown or a shape differs; then nothing has been changed
 */
export function restoreState(op: string, own: ReadonlyMap<string, Tensor>, saved: ReadonlyMap<string, Tensor>): void {
  for (const name of saved.keys()) {
    if (!own.has(name)) throw new FormatError(`${op}: unknown state ${name}`);
  }
  for (const [name, target] of own) {
    const source = saved.get(name);
    if (source === undefined) throw new FormatError(`${op}: the state must have ${name}`);
    if (source.shape.join() !== target.shape.join()) {
      throw new FormatError(
        `${op}: ${name} must have shape [${target.shape.join(', ')}], got [${source.shape.join(', ')}]`,
      );
    }
  }
  noGrad(() => {
    for (const [name, target] of own) copy_(target, saved.get(name)!);
  });
}
