/**
 * How an op is made: the native call by its name, and its vector-Jacobian product with a declaration of what it saves.
 * docs/adding_an_op.md walks through one.
 */
import { types } from 'node:util';
import { isGradEnabled } from '../autograd/no_grad';
import { type Backward, Node } from '../autograd/node';
import { AutogradError } from '../error';
import type { OpName, OpSchemas, ViewName, ViewSchemas } from '../native/schema.gen';
import { readArray } from '../tensor/arguments';
import { isFloat } from '../tensor/dtype';
import { invokeView, nativeCall, type OpAttrs, type OpInputs } from '../tensor/invoke';
import { Tensor } from '../tensor/tensor';
import { addon } from '../native/boundary';
import { publicName } from '../native/op_names';

/** What a vjp sees. `dy` is the gradient of the first output; ops with several read `dys`. */
export interface VjpContext<K extends OpName, S extends string> {
  readonly dy: Tensor;
  readonly dys: readonly (Tensor | undefined)[];
  readonly saved: Readonly<Record<S, Tensor>>;
  readonly attrs: OpAttrs<K>;
  /** Whether each input (lists flattened) wants a gradient. */
  readonly needs: readonly boolean[];
  /** Shape of each input that wants a gradient; of every input where the spec says `allShapes`. */
  readonly shapes: readonly (readonly number[] | undefined)[];
}

/** Gradients by input, lists flattened in place. Broadcasting and promotion are undone by the tape. */
export type InputGradients = readonly (Tensor | undefined)[];

export interface OpSpec<K extends OpName, S extends OpSchemas<Tensor>[K]['savable']> {
  /** Names of inputs and outputs that the vjp reads, fixed or depending on which inputs want gradients. */
  readonly save?: readonly S[] | ((needs: readonly boolean[]) => readonly S[]);
  /** The vjp reads the shapes of inputs without gradients too. */
  readonly allShapes?: boolean;
  readonly vjp: (context: VjpContext<K, S>) => InputGradients;
}

export interface Op<K extends OpName> {
  readonly opName: K;
  readonly differentiable: boolean;
  /** Runs an op with one output. */
  one(inputs: OpInputs<K>, attrs?: OpAttrs<K>): Tensor;
  /** Runs an op with several outputs, or none. */
  many(inputs: OpInputs<K>, attrs?: OpAttrs<K>): Tensor[];
  /** Writes the result over the first input. Only where nothing records. */
  into(inputs: OpInputs<K>, attrs?: OpAttrs<K>): Tensor;
}

function flat(inputs: readonly unknown[]): (Tensor | undefined)[] {
  return inputs.flat() as (Tensor | undefined)[];
}

/** Lists are saved whole, as name[0], name[1], ...; the vjp reads them through `savedList`. */
function* toSave(
  op: OpName,
  names: readonly string[],
  inputs: readonly unknown[],
  outputs: readonly Tensor[],
): Generator<readonly [string, Tensor]> {
  const { inputs: specs, outputs: outputNames } = addon().schema[op];
  for (const name of names) {
    const index = specs.findIndex((spec) => spec.name === name);
    const value = index >= 0 ? inputs[index] : outputs[outputNames.indexOf(name)];
    if (Tensor.isTensor(value)) yield [name, value];
    else if (Array.isArray(value))
      for (const [i, item] of value.entries()) if (Tensor.isTensor(item)) yield [`${name}[${i}]`, item];
  }
}

/** The tensors of a saved list input. */
export function savedList(saved: Readonly<Record<string, Tensor>>, name: string): Tensor[] {
  const list: Tensor[] = [];
  for (let i = 0; saved[`${name}[${i}]`] !== undefined; ++i) list.push(saved[`${name}[${i}]`] as Tensor);
  return list;
}

/** The tensors of an input that was not checked yet: what is neither a tensor nor a list is the native call's business. */
function tensorsOf(input: unknown): readonly unknown[] {
  if (typeof input !== 'object' || Tensor.isTensor(input) || types.isProxy(input) || !Array.isArray(input))
    return [input];
  return readArray('in-place op', 'a list of tensors', input);
}

/** Refuses a write that autograd could not account for. */
export function checkInPlace(op: string, inputs: readonly unknown[]): void {
  if (!isGradEnabled()) return;
  for (const tensor of inputs.flatMap(tensorsOf))
    if (Tensor.isTensor(tensor) && tensor.requiresGrad)
      throw new AutogradError(
        `${op}: in-place ops are not recorded and a tensor here requires gradients; wrap the call in noGrad()`,
      );
}

/** Defines a differentiable op. */
export function defineOp<K extends OpName, S extends OpSchemas<Tensor>[K]['savable'] = never>(
  name: K,
  spec?: OpSpec<K, S>,
): Op<K> {
  let call: ReturnType<typeof nativeCall<K>> | undefined;
  const native = (): ReturnType<typeof nativeCall<K>> => (call ??= nativeCall(name));

  const backward =
    (attrs: OpAttrs<K> | undefined, allShapes: readonly (readonly number[] | undefined)[] | undefined): Backward =>
    (dys, saved, needs, shapes) => {
      if (spec === undefined) throw new AutogradError(`${publicName(name)}: has no gradient`);
      return spec.vjp({
        dy: dys[0]!,
        dys,
        saved: Object.fromEntries(saved) as Record<S, Tensor>,
        attrs: attrs!,
        needs,
        shapes: allShapes ?? shapes,
      });
    };
  const record = (inputs: readonly unknown[], attrs: OpAttrs<K> | undefined, outputs: readonly Tensor[]): void => {
    // Only an op without gradient, or a cast, makes integers of floats; asking every result for its dtype is not free.
    if ((spec === undefined || name === 'cast') && !outputs.some((output) => isFloat(output.dtype))) return;
    const tensors = flat(inputs);
    const allShapes = spec?.allShapes ? tensors.map((t) => t?.shape) : undefined;
    const node = new Node(name, tensors, outputs, backward(attrs, allShapes));
    if (spec?.save === undefined) return;
    const names = typeof spec.save === 'function' ? spec.save(tensors.map((t) => t?.requiresGrad === true)) : spec.save;
    node.save(toSave(name, names, inputs, outputs));
  };
  const wantsGraph = (inputs: readonly unknown[]): boolean => {
    if (!isGradEnabled()) return false;
    for (const input of inputs) {
      if (Array.isArray(input)) {
        if (input.some((item: Tensor) => item.requiresGrad)) return true;
      } else if ((input as Tensor | undefined)?.requiresGrad === true) return true;
    }
    return false;
  };
  return {
    opName: name,
    differentiable: spec !== undefined,
    one(inputs, attrs) {
      const output = native().one(inputs, attrs);
      if (wantsGraph(inputs)) record(inputs, attrs, [output]);
      return output;
    },
    many(inputs, attrs) {
      const outputs = native().many(inputs, attrs);
      if (wantsGraph(inputs)) record(inputs, attrs, outputs);
      return outputs;
    },
    into(inputs, attrs) {
      checkInPlace(`${publicName(name)}_`, inputs);
      native().into(inputs, attrs);
      return inputs[0] as Tensor;
    },
  };
}

export interface ViewSpec<K extends ViewName> {
  readonly vjp: (dy: Tensor, attrs: ViewSchemas[K], shape: readonly number[]) => Tensor;
}

export type View<K extends ViewName> = (input: Tensor, attrs: ViewSchemas[K]) => Tensor;

/** Defines a view; its vjp also gets the shape of the input. */
export function defineView<K extends ViewName>(name: K, spec: ViewSpec<K>): View<K> {
  return (input, attrs) => {
    const output = invokeView(name, input, attrs);
    if (isGradEnabled() && input.requiresGrad) {
      const { shape } = input;
      new Node(name, [input], [output], ([dy]) => [spec.vjp(dy as Tensor, attrs, shape)]);
    }
    return output;
  };
}

/**
 * Records a function made of native calls whose gradient is simpler than that of its parts. Call the parts under noGrad.
 * `backward` gets the gradients of the outputs, undefined where none flows.
 */
export function recordComposed(
  name: string,
  inputs: readonly Tensor[],
  outputs: readonly Tensor[],
  backward: (dys: readonly (Tensor | undefined)[]) => InputGradients,
): void {
  if (isGradEnabled() && inputs.some((input) => input.requiresGrad)) new Node(name, inputs, outputs, backward);
}

/** The first of an op's outputs; the others live on only where the graph saved them. */
export function firstOf(outputs: readonly Tensor[]): Tensor {
  const [first, ...rest] = outputs;
  for (const tensor of rest) tensor.dispose();
  return first as Tensor;
}
