import { ArgumentError, AutogradError } from '../error';
import { addon } from '../native/boundary';
import { requireFunction } from '../tensor/arguments';
import { isFloat } from '../tensor/dtype';
import { type Held, reads } from '../tensor/lifetime';
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

/** Runs fn and adds to `versions` that of each tensor it reads, when first read. */
function watched<R>(versions: Map<Held, number> | WeakMap<Held, number>, fn: () => R): R {
  const outer = reads.watch;
  reads.watch = (handle) => {
    outer?.(handle);
    if (!versions.has(handle)) versions.set(handle, addon().version(handle.id));
  };
  try {
    return fn();
  } finally {
    reads.watch = outer;
  }
}

const versionOf = (tensor: Tensor): number => addon().version(Tensor.handleOf(tensor, 'remat', 'an input').id);

/**
 * fn(...inputs), keeping for the gradient nothing but the inputs: backward runs `fn` again and differentiates that. It trades
 * a second forward pass for the memory of what lies between (activation checkpointing; arXiv 1604.06174; `jax.remat`,
 * `torch.utils.checkpoint`). Gradients flow to `inputs` alone: other tensors that `fn` reads are constants.
 *
 * @param fn from tensors to one tensor, synchronous; it must compute the same both times (no generator that moves on) and
 *   write to no input
 * @returns what `fn` gives, same shape and dtype; it wants a gradient where that is floating and an input wants one
 * @throws ArgumentError without inputs and where `fn` gives no tensor
 * @throws AutogradError, here or in backward, where `fn` reads a tensor that wants a gradient and is none of the inputs,
 *   where it writes to an input, or where what it reads was written in between
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
    if (isGradEnabled() && y.requiresGrad) throw notAnInput();
    return y;
  }

  // Of what lives as long as this graph only; the tensors that fn makes and drops are forgotten.
  const firstRead = new WeakMap<Held, number>();
  const before = inputs.map(versionOf);
  // A tensor of its own: fn may pass an input on, which is no result of this node.
  const y = noGrad(() => tidy(() => detached(watched(firstRead, () => run(...inputs)))));
  const written = inputs.findIndex((input, i) => versionOf(input) !== before[i]);
  if (written >= 0) throw new AutogradError(`remat: fn must not write to its inputs, inputs[${written}] was changed`);
  const { dtype } = y;
  if (!isFloat(dtype)) return y;
  const node = new Node('remat', inputs, [y], ([dy], saved, needs) =>
    tidy(() => {
      const again = inputs.map((_, i) => secondLeaf(saved.get(`${i}`)!, saved.get(`master ${i}`), needs[i] === true));
      const read = new Map<Held, number>();
      const second = enableGrad(() => watched(read, () => run(...again.map(({ used }) => used))));
      for (const [handle, version] of read)
        if ((firstRead.get(handle) ?? version) !== version)
          throw new AutogradError(
            'remat: a tensor that fn reads was changed in place after the forward pass, the gradient would be wrong',
          );
      if (second.dtype !== dtype)
        throw new AutogradError(`remat: fn must give the same both times, got ${dtype}, then ${second.dtype}`);
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
