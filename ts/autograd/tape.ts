/** Reverse-mode differentiation over the graph of node.ts. Gradients of gradients are not recorded. */
import { ArgumentError, AutogradError, ShapeError } from '../error';
import { addon, guarded } from '../native/boundary';
import { readArray, readOptions, requireFunction } from '../tensor/arguments';
import { type Device, deviceCode } from '../native/device';
import { describe, type DType, dtypeCode } from '../tensor/dtype';
import { nativeCall } from '../tensor/invoke';
import { keep, tidy } from '../tensor/scope';
import { Handle, Tensor } from '../tensor/tensor';
import { enableGrad, noGrad, requireSynchronous } from './no_grad';
import { Node, producerOf } from './node';

export interface BackwardOptions {
  /** Keep what the graph saved, so that backward can run through it again. Default false: freed as it goes. */
  retainGraph?: boolean;
  /**
   * Called with each leaf that gets a gradient as soon as its `.grad` is complete, while earlier parts of the graph are still to
   * come: an optimizer may update the leaf there and then and drop the gradient, so that never all of them are held
   * (optimizer in backward). A leaf can be written where no earlier op saved its memory under another name (`detach`, views
   * made under noGrad); else the backward pass of that op throws. Runs under noGrad and in a scope: what it makes lives on
   * only through `keep`. Synchronous; what it throws ends the backward pass, and leaves told before keep what was done.
   */
  onGradient?: (leaf: Tensor) => unknown;
}

/** Receives the gradient of a leaf; it owns the tensor. */
type Sink = (leaf: Tensor, gradient: Tensor) => void;

/** Nodes reachable from the roots, newest first: every node comes before those it depends on. */
function reachable(roots: readonly Tensor[]): Node[] {
  const found = new Set<Node>();
  const stack = roots.flatMap((root) => producerOf(root) ?? []);
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (found.has(node)) continue;
    found.add(node);
    for (const edge of node.edges) if (edge && edge.target instanceof Node) stack.push(edge.target);
  }
  return [...found].sort((a, b) => b.sequence - a.sequence);
}

/** How many edges of the nodes lead to each leaf. */
function countEdgesToLeaves(nodes: readonly Node[]): Map<Tensor, number> {
  const counts = new Map<Tensor, number>();
  for (const { edges } of nodes)
    for (const edge of edges)
      if (edge && !(edge.target instanceof Node)) counts.set(edge.target, (counts.get(edge.target) ?? 0) + 1);
  return counts;
}

/** The leaves that gradients of a tensor go to: itself, if it is one that wants them. */
export function leavesOf(tensor: Tensor): ReadonlySet<Tensor> {
  const nodes = reachable([tensor]);
  if (nodes.length === 0) return new Set(tensor.requiresGrad ? [tensor] : []);
  return new Set(countEdgesToLeaves(nodes).keys());
}

/** Sums of gradients that meet at one place. Owns its tensors. */
class Accumulator<Key> {
  readonly #sums = new Map<Key, Tensor>();
  /** Takes the gradient over: it is freed here, or later by whoever takes the sum. */
  add(key: Key, gradient: Tensor): void {
    const previous = this.#sums.get(key);
    if (previous === undefined) {
      this.#sums.set(key, gradient);
      return;
    }
    const sum = nativeCall('add').one([previous, gradient]);
    previous.dispose();
    gradient.dispose();
    this.#sums.set(key, sum.alias());
    sum.dispose();
  }
  take(key: Key): Tensor | undefined {
    const sum = this.#sums.get(key);
    this.#sums.delete(key);
    return sum;
  }
  entries(): [Key, Tensor][] {
    return [...this.#sums];
  }
  dispose(): void {
    for (const sum of this.#sums.values()) sum.dispose();
    this.#sums.clear();
  }
}

/** @param early whether a leaf's gradient goes to `sink` once it is complete, not after all others */
function runBackward(
  roots: readonly Tensor[],
  seeds: readonly Tensor[],
  { retainGraph, early = false }: { retainGraph: boolean; early?: boolean },
  sink: Sink,
  watch?: (node: Node, outputIndex: number, gradient: Tensor) => void,
): void {
  const pending = new Map<Node, Accumulator<number>>();
  const leaves = new Accumulator<Tensor>();
  const deliver = (target: Node | Tensor, outputIndex: number, gradient: Tensor): void => {
    if (target instanceof Node) {
      let sums = pending.get(target);
      if (sums === undefined) pending.set(target, (sums = new Accumulator()));
      sums.add(outputIndex, gradient);
    } else leaves.add(target, gradient);
  };
  const sinkComplete = (node: Node, waiting: Map<Tensor, number>): void => {
    for (const edge of node.edges) {
      if (!edge || edge.target instanceof Node) continue;
      const left = waiting.get(edge.target)! - 1;
      waiting.set(edge.target, left);
      const gradient = left === 0 ? leaves.take(edge.target) : undefined;
      if (gradient === undefined) continue;
      try {
        sink(edge.target, gradient);
      } finally {
        gradient.dispose();
      }
    }
  };
  try {
    roots.forEach((root, i) => {
      const target = producerOf(root) ?? root;
      deliver(target, root.outputIndex, (seeds[i] as Tensor).alias());
    });
    const nodes = reachable(roots);
    const waiting = early ? countEdgesToLeaves(nodes) : undefined;
    for (const node of nodes) {
      const sums = pending.get(node);
      if (sums !== undefined) {
        const outputGradients = Array.from({ length: node.nOutputs }, (_, i) => sums.take(i));
        pending.delete(node);
        if (watch)
          outputGradients.forEach((gradient, i) => {
            if (gradient) watch(node, i, gradient);
          });
        // Intermediates of the formula die with the scope; what goes on is held by aliases outside of it.
        tidy(() => {
          const gradients = node.run(outputGradients);
          node.edges.forEach((edge, i) => {
            const gradient = gradients[i];
            if (edge && gradient) deliver(edge.target, edge.outputIndex, gradient.alias());
          });
        });
        for (const gradient of outputGradients) gradient?.dispose();
      }
      if (!retainGraph) node.free();
      if (waiting) sinkComplete(node, waiting);
    }
    for (const [leaf, gradient] of leaves.entries()) sink(leaf, gradient);
  } finally {
    leaves.dispose();
    for (const sums of pending.values()) sums.dispose();
  }
}

/** A tensor of its own storage: gradients are handed to the user, who may write into them. */
function ownCopy(gradient: Tensor): Tensor {
  const handle = Tensor.handleOf(gradient, 'backward', 'gradient');
  if (handle.references === 1 && addon().isExclusive(handle.id)) return gradient.alias();
  const copy = nativeCall('cast').one([gradient], { dtype: dtypeCode(gradient.dtype) });
  const owned = copy.alias();
  copy.dispose();
  return owned;
}

function seedFor(root: Tensor, seed: Tensor | undefined, op: string): Tensor {
  Tensor.handleOf(root, op, 'output');
  if (!root.requiresGrad)
    throw new AutogradError(`${op}: the output does not depend on any tensor with requiresGrad (or ran under noGrad)`);
  if (seed !== undefined) {
    Tensor.handleOf(seed, op, 'the gradient of the output');
    if (seed.shape.join() !== root.shape.join())
      throw new ShapeError(
        `${op}: the gradient of the output must have its shape [${root.shape.join(', ')}], got [${seed.shape.join(', ')}]`,
      );
    return nativeCall('cast').one([seed], { dtype: dtypeCode(root.dtype) });
  }
  if (root.size !== 1)
    throw new AutogradError(
      `${op}: the output has shape [${root.shape.join(', ')}]; give its gradient, or reduce it to one element first`,
    );
  return filled(root.shape, root.dtype, 1, root.device);
}

/** A constant tensor in no graph. */
export function filled(shape: readonly number[], dtype: DType, value: number, device: Device): Tensor {
  const handle = new Handle();
  const where = deviceCode(device, 'filled');
  handle.id = guarded(() => addon().empty(handle, dtypeCode(dtype), shape, where));
  const result = new Tensor(handle);
  nativeCall('fill').many([result], { value });
  return result;
}

/**
 * Adds d(output)/d(leaf) to `.grad` of every leaf with `requiresGrad` that `output` depends on.
 *
 * @param gradient of `output`, same shape; may be left out when `output` has one element (then it is 1)
 * @throws AutogradError when the graph is missing, freed, or a saved tensor was changed in place
 * @throws ArgumentError for an asynchronous onGradient
 */
export function backward(output: Tensor, gradient?: Tensor, options: BackwardOptions = {}): void {
  const { retainGraph = false, onGradient } = readOptions('backward', options, ['retainGraph', 'onGradient']);
  if (onGradient !== undefined) requireFunction('backward', 'onGradient', onGradient);
  noGrad(() => {
    tidy(() => {
      const seed = seedFor(output, gradient, 'backward');
      runBackward([output], [seed], { retainGraph, early: onGradient !== undefined }, (leaf, sum) => {
        if (leaf.isDisposed) return;
        const previous = leaf.grad;
        if (previous === undefined || previous.isDisposed) leaf.grad = ownCopy(sum);
        // In place, so that a captured backward adds up over its runs.
        else nativeCall('add').into([previous, sum]);
        if (onGradient === undefined) return;
        requireSynchronous('backward', 'onGradient', onGradient(leaf));
        // As tidy promises: the callback may have put another there.
        if (leaf.grad) keep(leaf.grad);
      });
    });
  });
}

/**
 * d(output)/d(input) for each input, without touching `.grad`. Inputs may be leaves or intermediates; one that the output
 * does not depend on gets zeros.
 *
 * @param gradientOfOutput same shape as `output`; may be left out when that has one element
 */
export function grad(
  output: Tensor,
  inputs: readonly Tensor[],
  gradientOfOutput?: Tensor,
  options: Pick<BackwardOptions, 'retainGraph'> = {},
): Tensor[] {
  const { retainGraph = false } = readOptions('grad', options, ['retainGraph']);
  const list = readArray('grad', 'inputs', inputs, 'an array of tensors') as readonly Tensor[];
  list.forEach((input, i) => Tensor.handleOf(input, 'grad', `inputs[${i}]`));
  return noGrad(() =>
    tidy(() => {
      const seed = seedFor(output, gradientOfOutput, 'grad');
      return gradientsOf([output], [seed], list, retainGraph);
    }),
  );
}

/** Gradients of several outputs at once with respect to several inputs; call inside noGrad and tidy. */
function gradientsOf(
  outputs: readonly Tensor[],
  seeds: readonly Tensor[],
  inputs: readonly Tensor[],
  retainGraph: boolean,
): Tensor[] {
  const found = new Map<Tensor, Tensor>();
  const watched = new Map<Node, Map<number, Tensor>>();
  for (const input of inputs) {
    const node = producerOf(input);
    if (node === undefined) continue;
    const outputsOfNode = watched.get(node) ?? new Map<number, Tensor>();
    watched.set(node, outputsOfNode.set(input.outputIndex, input));
  }
  const take = (input: Tensor, sum: Tensor): void => {
    found.set(input, rescoped(ownCopy(sum)));
  };
  runBackward(
    outputs,
    seeds,
    { retainGraph },
    (leaf, sum) => {
      if (inputs.includes(leaf)) take(leaf, sum);
    },
    (node, index, sum) => {
      const input = watched.get(node)?.get(index);
      if (input) take(input, sum);
    },
  );
  return inputs.map((input) => found.get(input) ?? filled(input.shape, input.dtype, 0, input.device));
}

/** Puts a tensor made outside of all scopes into the current one, so that a result of `tidy` is passed on. */
function rescoped(tensor: Tensor): Tensor {
  const result = new Tensor(Tensor.handleOf(tensor, 'grad', 'gradient').retain());
  tensor.dispose();
  return result;
}

/** Runs fn on fresh leaves that share the inputs' values, recording. */
function traced<R>(
  op: string,
  fn: (...inputs: Tensor[]) => R,
  inputs: readonly Tensor[],
): { leaves: Tensor[]; result: R } {
  if (typeof fn !== 'function') throw new ArgumentError(`${op}: fn must be a function, got ${describe(fn)}`);
  if (inputs.length === 0) throw new ArgumentError(`${op}: needs at least one input, got none`);
  const leaves = inputs.map((input, i) => {
    const leaf = new Tensor(Tensor.handleOf(input, op, `argument ${i}`).retain());
    leaf.requiresGrad = true;
    return leaf;
  });
  return { leaves, result: enableGrad(() => fn(...leaves)) };
}

/**
 * Turns `fn`, which maps tensors to a tensor with one element, into a function that returns its value and the gradients
 * of its arguments, in order.
 */
export function valueAndGrad<Args extends Tensor[]>(
  fn: (...inputs: Args) => Tensor,
): (...inputs: Args) => { value: Tensor; grads: Tensor[] } {
  if (typeof fn !== 'function') throw new ArgumentError(`valueAndGrad: fn must be a function, got ${describe(fn)}`);
  return (...inputs: Args) =>
    tidy(() => {
      const { leaves, result } = traced('valueAndGrad', fn as (...tensors: Tensor[]) => Tensor, inputs);
      const grads = grad(result, leaves);
      return { value: detached(result), grads };
    });
}

/**
 * Vector-Jacobian product: the outputs of `fn` at `inputs`, and a function from gradients of the outputs to those of the
 * inputs. The pullback may be called several times; dispose the outputs to free the graph.
 */
export function vjp(
  fn: (...inputs: Tensor[]) => Tensor | Tensor[],
  ...inputs: Tensor[]
): { outputs: Tensor[]; pullback: (...gradients: Tensor[]) => Tensor[] } {
  const { leaves, result } = traced('vjp', fn, inputs);
  const outputs = (
    Tensor.isTensor(result) ? [result] : readArray('vjp', 'the result of fn', result, 'a tensor or an array of them')
  ) as Tensor[];
  const pullback = (...gradients: Tensor[]): Tensor[] =>
    noGrad(() =>
      tidy(() => {
        if (gradients.length !== outputs.length)
          throw new ArgumentError(`vjp: needs ${outputs.length} gradients, one an output, got ${gradients.length}`);
        const seeds = outputs.map((output, i) => seedFor(output, gradients[i], 'vjp'));
        return gradientsOf(outputs, seeds, leaves, true);
      }),
    );
  return { outputs, pullback };
}

/** The same values, without graph. Shares the storage. */
export function detached(tensor: Tensor): Tensor {
  return new Tensor(Tensor.handleOf(tensor, 'detach', 'tensor').retain());
}
