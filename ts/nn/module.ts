import { types } from 'node:util';
import { ArgumentError, FormatError } from '../error';
import { noGrad } from '../autograd/no_grad';
import type { Device } from '../native/device';
import { copy_ } from '../ops/cast';
import { toDevice } from '../tensor/create';
import { requireTensor } from '../ops/arguments';
import { readArgument } from '../tensor/arguments';
import { describe } from '../tensor/dtype';
import type { Tensor } from '../tensor/tensor';

/**
 * Parameters, buffers and children under names; the dotted path of names is the key in a state dict, as in PyTorch.
 * Parameters are trained by the dense optimizer, buffers are saved but not.
 */
export class Module {
  readonly #parameters = new Map<string, Tensor>();
  readonly #buffers = new Map<string, Tensor>();
  readonly #children = new Map<string, Module>();

  protected parameter(name: string, tensor: Tensor): Tensor {
    requireTensor('Module', 'a parameter', tensor).requiresGrad = true;
    this.#parameters.set(name, tensor);
    return tensor;
  }
  protected buffer(name: string, tensor: Tensor): Tensor {
    this.#buffers.set(name, requireTensor('Module', 'a buffer', tensor));
    return tensor;
  }
  protected child<M extends Module>(name: string, module: M): M {
    if (typeof module !== 'object' || module === null || !(#children in module))
      throw new ArgumentError(`Module: a child must be a module, got ${describe(module)}`);
    this.#children.set(name, module);
    return module;
  }

  *#walk(pick: (module: Module) => ReadonlyMap<string, Tensor>, prefix: string): Generator<[string, Tensor]> {
    for (const [name, tensor] of pick(this)) yield [prefix + name, tensor];
    for (const [name, module] of this.#children) yield* module.#walk(pick, `${prefix}${name}.`);
  }
  namedParameters(): [string, Tensor][] {
    return [...this.#walk((module) => module.#parameters, '')];
  }
  namedBuffers(): [string, Tensor][] {
    return [...this.#walk((module) => module.#buffers, '')];
  }
  parameters(): Tensor[] {
    return this.namedParameters().map(([, tensor]) => tensor);
  }

  /** Parameters and buffers by name: the living tensors, not copies. */
  stateDict(): Map<string, Tensor> {
    return new Map([...this.namedParameters(), ...this.namedBuffers()]);
  }

  /**
   * Copies values into the parameters and buffers, casting to their dtype.
   * @throws FormatError when a name is missing or unknown or a shape differs; then nothing has been changed
   */
  loadStateDict(state: ReadonlyMap<string, Tensor>): void {
    const own = this.stateDict();
    if (!types.isMap(state))
      throw new ArgumentError(`loadStateDict: expected a Map of tensors, got ${describe(state)}`);
    const saved = readArgument('loadStateDict', 'state', () => new Map<unknown, unknown>(state));
    const missing = [...own.keys()].filter((name) => !saved.has(name));
    const unknown = [...saved.keys()].filter((name) => !own.has(name as string));
    if (missing.length > 0 || unknown.length > 0)
      throw new FormatError(
        `loadStateDict: the names differ from the model's; missing: ${listing(missing)}; unknown: ${listing(unknown.map((name) => (typeof name === 'string' ? name : describe(name))))}`,
      );
    for (const [name, target] of own) {
      const source = requireTensor('loadStateDict', name, saved.get(name));
      if (source.shape.join() !== target.shape.join())
        throw new FormatError(
          `loadStateDict: ${name} must have shape [${target.shape.join(', ')}], got [${source.shape.join(', ')}]`,
        );
    }
    noGrad(() => {
      for (const [name, target] of own) copy_(target, saved.get(name) as Tensor);
    });
  }

  /**
   * Moves parameters, buffers and gradients to a device; the tensors stay the same objects. Optimizers made before keep
   * their state where it was: make them after.
   *
   * @throws DeviceError where there is no such device
   */
  to(device: Device): this {
    for (const tensor of this.movable()) {
      for (const each of tensor.grad ? [tensor, tensor.grad] : [tensor]) {
        const there = toDevice(each, device, 'Module.to');
        if (there !== each) each.adopt(there);
      }
    }
    return this;
  }

  /** What `to` moves. */
  protected movable(): Tensor[] {
    return [...this.stateDict().values()];
  }

  zeroGrad(): void {
    for (const tensor of this.parameters()) {
      tensor.grad?.dispose();
      tensor.grad = undefined;
    }
  }

  dispose(): void {
    for (const tensor of this.stateDict().values()) {
      tensor.grad?.dispose();
      tensor.dispose();
    }
  }
}

function listing(names: readonly string[]): string {
  if (names.length === 0) return 'none';
  return names.length > 5 ? `${names.slice(0, 5).join(', ')} and ${names.length - 5} more` : names.join(', ');
}
