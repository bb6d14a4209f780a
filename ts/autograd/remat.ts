import { ArgumentError, AutogradError } from '../error';
import { requireFunction } from '../tensor/arguments';
import { tidy } from '../tensor/scope';
import { Tensor } from '../tensor/tensor';
import { enableGrad, isGradEnabled, noGrad } from './no_grad';
import { Node } from './node';
import { detached, grad, leavesOf } from './tape';

/** A leaf of the same values for a second run, and what ops read in its place (RoundedCopy). */
function secondLeaf(input: Tensor, master: Tensor | undefined, requiresGrad: boolean): { leaf: Tensor; used: Tensor } {
  const used = detached(input);
  const leaf = master === undefined ? used : detached(master);
  if (requiresGrad) leaf.requiresGrad = true;
  if (leaf !== used) used.leaf = leaf;
  return { leaf, used };
}

function notAnInput(): AutogradError {
  return new AutogradError(
    'remat: fn must read tensors that want gradients through its inputs alone, got another one: give it as an input',
  );
}

/**
 * fn(...inputs), keeping for the gradient nothing but the inputs: backward runs `fn` again and differentiates that. It trades
 * a second forward pass for the memory of what lies between (activation checkpointing; arXiv 1604.06174; `jax.remat`,
 * `torch.utils.checkpoint`). Gradients flow to `inputs` alone: other tensors that `fn` reads are constants.
 *
 * @param fn from tensors to one tensor, synchronous; it must compute the same both times (no generator that moves on)
 * @returns what `fn` gives, same shape and dtype
 * @throws ArgumentError without inputs and where `fn` gives no tensor
 * @throws AutogradError, here or in backward, where `fn` reads a tensor that wants a gradient and is none of the inputs
 */
export function remat(fn: (...inputs: Tensor[]) => Tensor, ...inputs: Tensor[]): Tensor {
  requireFunction('remat', 'fn', fn);
  if (inputs.length === 0) throw new ArgumentError('remat: needs at least one input, got none');
  inputs.forEach((input, i) => Tensor.handleOf(input, 'remat', `inputs[${i}]`));
  const run = (...tensors: Tensor[]): Tensor => {
    const y = tidy(() => fn(...tensors));
    if (!Tensor.isTensor(y)) throw new ArgumentError('remat: fn must give one tensor');
    return y;
  };
  if (!isGradEnabled() || !inputs.some((input) => input.requiresGrad)) {
    const y = run(...inputs);
    if (!isGradEnabled() || !y.requiresGrad) return y;
    y.dispose();
    throw notAnInput();
  }

  // A tensor of its own: fn may pass an input on, which is no result of this node.
  const y = noGrad(() => tidy(() => detached(run(...inputs))));
  const node = new Node('remat', inputs, [y], ([dy], saved, needs) =>
    tidy(() => {
      const again = inputs.map((_, i) => secondLeaf(saved.get(`${i}`)!, saved.get(`master ${i}`), needs[i] === true));
      const second = enableGrad(() => run(...again.map(({ used }) => used)));
      // Before it is differentiated: that would run, and free, what the graph outside still needs.
      const own = new Set(again.flatMap(({ leaf, used }) => [leaf, used]));
      if ([...leavesOf(second)].some((leaf) => !own.has(leaf))) throw notAnInput();
      const wanted = again.filter((_, i) => needs[i]).map(({ leaf }) => leaf);
      const gradients = second.requiresGrad ? grad(second, wanted, dy) : [];
      return needs.map((needed) => (needed ? gradients.shift() : undefined));
    }),
  );
  node.save([
    ...inputs.map((input, i) => [`${i}`, input] as const),
    ...inputs.flatMap((input, i) => (input.leaf ? [[`master ${i}`, input.leaf] as const] : [])),
  ]);
  return y;
}
