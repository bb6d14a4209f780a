/**
 * The graph of reverse-mode differentiation: nodes reachable from outputs. There is no global list, so a forward pass that
 * nobody differentiates is garbage.
 */
import { AutogradError, ShapeError } from '../error';
import { addon, guarded } from '../native/boundary';
import { type DType, dtypeCode } from '../tensor/dtype';
import { invokeView, nativeCall } from '../tensor/invoke';
import { type Handle, type Producer, Tensor } from '../tensor/tensor';

/** A tensor kept for backward: its handle, and its version to notice later writes. */
class Saved {
  readonly #handle: Handle;
  readonly #version: number;
  constructor(tensor: Tensor, op: string) {
    this.#handle = Tensor.handleOf(tensor, op, 'saved tensor').retain();
    this.#version = addon().version(this.#handle.id);
  }
  open(op: string, name: string): Tensor {
    if (guarded(() => addon().version(this.#handle.id)) !== this.#version)
      throw new AutogradError(
        `${op}: its saved tensor ${name} was changed in place after the forward pass, the gradient would be wrong`,
      );
    return new Tensor(this.#handle.retain());
  }
  free(): void {
    this.#handle.release();
  }
}

/** Where the gradient of one input goes: to the node that made it, or to the leaf itself. */
interface Edge {
  readonly target: Node | Tensor;
  readonly outputIndex: number;
  readonly shape: readonly number[];
  readonly dtype: DType;
}

export type Gradients = readonly (Tensor | undefined)[];

/**
 * Gradients of the inputs (flat, lists in place) from those of the outputs; undefined: none flows. `shapes` are those of
 * the inputs that want gradients.
 */
export type Backward = (
  outputGradients: Gradients,
  saved: ReadonlyMap<string, Tensor>,
  needs: readonly boolean[],
  shapes: readonly (readonly number[] | undefined)[],
) => Gradients;

let nextSequence = 0;

export class Node implements Producer {
  readonly sequence = nextSequence++;
  readonly op: string;
  readonly nOutputs: number;
  readonly edges: readonly (Edge | undefined)[];
  #saved: Map<string, Saved> | undefined;
  readonly #backward: Backward;
  #freed = false;

  constructor(op: string, inputs: readonly (Tensor | undefined)[], outputs: readonly Tensor[], backward: Backward) {
    this.op = op;
    this.edges = inputs.map((input) => (input?.requiresGrad === true ? makeEdge(input) : undefined));
    this.nOutputs = outputs.length;
    this.#backward = backward;
    for (let i = 0; i < outputs.length; ++i) {
      const output = outputs[i]!;
      output.producer = this;
      output.outputIndex = i;
    }
  }

  save(tensors: Iterable<readonly [string, Tensor]>): void {
    this.#saved = new Map();
    for (const [name, tensor] of tensors) this.#saved.set(name, new Saved(tensor, this.op));
  }

  run(outputGradients: Gradients): Gradients {
    if (this.#freed)
      throw new AutogradError(
        `${this.op}: backward ran through this graph already and freed what it saved; use backward({ retainGraph: true })`,
      );
    const saved = new Map([...(this.#saved ?? [])].map(([name, tensor]) => [name, tensor.open(this.op, name)]));
    const needs = this.edges.map((edge) => edge !== undefined);
    const shapes = this.edges.map((edge) => edge?.shape);
    const gradients = this.#backward(outputGradients, saved, needs, shapes);
    return this.edges.map((edge, i) => {
      const gradient = gradients[i];
      return edge && gradient ? fitTo(gradient, edge, this.op) : undefined;
    });
  }

  free(): void {
    this.#freed = true;
    for (const saved of this.#saved?.values() ?? []) saved.free();
    this.#saved = undefined;
  }
}

/** The node that made a tensor; undefined for leaves. */
export function producerOf(tensor: Tensor): Node | undefined {
  return tensor.producer instanceof Node ? tensor.producer : undefined;
}

function makeEdge(input: Tensor): Edge {
  const leaf = input.leaf ?? input;
  const target = producerOf(leaf) ?? leaf;
  return { target, outputIndex: leaf.outputIndex, shape: input.shape, dtype: leaf.dtype };
}

/** Undoes broadcasting (sums over what was repeated) and promotion (casts back). */
function fitTo(gradient: Tensor, edge: { shape: readonly number[]; dtype: DType }, op: string): Tensor {
  let result = gradient;
  const from = result.shape;
  const { shape } = edge;
  if (from.length !== shape.length || from.some((n, i) => n !== shape[i])) {
    const lead = from.length - shape.length;
    const dims = from.flatMap((n, i) => (i < lead || (shape[i - lead] === 1 && n !== 1) ? [i] : []));
    if (lead < 0 || from.some((n, i) => i >= lead && n !== shape[i - lead] && shape[i - lead] !== 1))
      throw new ShapeError(`${op}: gradient of shape [${from.join(', ')}] for an input of shape [${shape.join(', ')}]`);
    if (dims.length > 0) result = nativeCall('sum').one([result], { dims, keepdim: true });
    if (lead > 0) result = invokeView('reshape', result, { shape });
  }
  if (result.dtype !== edge.dtype) result = nativeCall('cast').one([result], { dtype: dtypeCode(edge.dtype) });
  return result;
}
