import { inspect } from 'node:util';
import { ArgumentError, AutogradError, DisposedError, DTypeError, ShapeError } from '../error';
import type { Owner, TensorId } from '../native/addon';
import { addon, guarded, typedError } from '../native/boundary';
import { type Device, deviceName } from '../native/device';
import { type DataArray, describe, type DType, DTYPES } from './dtype';
import { hostReads } from './host_reads';
import { leaks, reads, scopes } from './lifetime';
import { formatTensor } from './print';

/**
 * The native tensor behind one or more Tensor objects: the user's and those the autograd graph saved. It is released
 * when the last of them is disposed, or when the garbage collector takes this object.
 */
export class Handle implements Owner {
  id: TensorId = -1;
  references = 1;
  readonly #brand = true;

  static isHandle(value: unknown): value is Handle {
    return typeof value === 'object' && value !== null && #brand in value;
  }
  retain(): this {
    ++this.references;
    return this;
  }
  release(): void {
    if (--this.references === 0) addon().release(this.id);
  }
}

/** What produced a tensor under gradient recording; autograd/tape.ts fills it in. */
export interface Producer {
  readonly op: string;
}

/**
 * A typed n-dimensional array. Views (reshape, transpose, slice, ...) share the storage. Memory is released by
 * `dispose()`, `using`, `tidy`, or in the end by the garbage collector.
 */
export class Tensor {
  #handle: Handle;
  #disposed = false;
  #shape: readonly number[] | undefined;
  #dtype: DType | undefined;
  #device: Device | undefined;
  #requiresGrad = false;
  #grad: Tensor | undefined;
  /** @internal The graph node this is an output of, and which output. */
  producer: Producer | undefined;
  /** @internal */
  outputIndex = 0;
  /** @internal Of a copy in another dtype that ops read in the leaf's place: the leaf that gets its gradient. */
  leaf: Tensor | undefined;

  /** @internal Tensors are made by functions such as `tensor`, `zeros` and the ops. */
  constructor(handle: Handle, scoped = true) {
    if (!Handle.isHandle(handle)) throw new ArgumentError('Tensor: use tensor(), zeros() and the like to make one');
    this.#handle = handle;
    if (scoped) scopes.add(this);
    if (leaks.enabled) leaks.record(handle.id);
  }

  static isTensor(value: unknown): value is Tensor {
    return typeof value === 'object' && value !== null && #handle in value;
  }

  /** @internal The handle of a living tensor; `what` names it in the error. */
  static handleOf(value: unknown, op: string, what: string): Handle {
    if (typeof value !== 'object' || value === null || !(#handle in value))
      throw new ArgumentError(`${op}: ${what} must be a tensor, got ${describe(value)}`);
    if (value.#disposed) throw new DisposedError(`${op}: ${what} has been disposed`);
    if (reads.watch !== undefined) reads.watch(value.#handle);
    return value.#handle;
  }

  /**
   * @internal Takes another tensor's memory in place of its own, as when a module moves to another device; the graph keeps
   * what it saved. The other tensor is disposed.
   */
  adopt(other: Tensor): void {
    const handle = Tensor.handleOf(other, 'adopt', 'tensor');
    if (other === this || other.dtype !== this.dtype || other.shape.join() !== this.shape.join())
      throw new ArgumentError('adopt: tensor must be another of the same shape and dtype');
    const taken = handle.retain();
    other.dispose();
    this.#handle.release();
    this.#handle = taken;
    this.#device = undefined;
  }

  /** @internal A second Tensor on the same handle, without graph, in no scope. */
  alias(): Tensor {
    return new Tensor(Tensor.handleOf(this, 'alias', 'tensor').retain(), false);
  }

  /** @internal Frees what ops keep beside this tensor's memory, as weights packed for products; they make it again. */
  forgetDerived(): void {
    guarded(() => {
      addon().forgetDerived(this.#id('forgetDerived'));
    });
  }

  #id(op: string): TensorId {
    if (this.#disposed) throw new DisposedError(`${op}: the tensor has been disposed`);
    return this.#handle.id;
  }

  /** Sizes of the dimensions; [] for a scalar. */
  get shape(): readonly number[] {
    return (this.#shape ??= Object.freeze(guarded(() => addon().shape(this.#id('shape')))));
  }
  get dtype(): DType {
    return (this.#dtype ??= DTYPES[guarded(() => addon().dtype(this.#id('dtype')))] as DType);
  }
  /** 'cpu', or 'cuda:0' and the like. */
  get device(): Device {
    return (this.#device ??= deviceName(guarded(() => addon().device(this.#id('device')))));
  }
  /** Distance of neighbours in elements, per dimension. */
  get strides(): readonly number[] {
    return guarded(() => addon().strides(this.#id('strides')));
  }
  get rank(): number {
    return this.shape.length;
  }
  /** Number of elements. */
  get size(): number {
    return this.shape.reduce((product, n) => product * n, 1);
  }
  get isContiguous(): boolean {
    return guarded(() => addon().isContiguous(this.#id('isContiguous')));
  }
  /** By `dispose`, or with the captured function that made it. */
  get isDisposed(): boolean {
    return this.#disposed || !addon().isLive(this.#handle.id);
  }

  /** Whether gradients flow to or through this tensor. Set it on leaves of floating dtype. */
  get requiresGrad(): boolean {
    return this.#requiresGrad || this.producer !== undefined || this.leaf?.requiresGrad === true;
  }
  set requiresGrad(value: boolean) {
    if (this.producer !== undefined) {
      if (value) return;
      throw new AutogradError('requiresGrad: only leaves can be switched off; use detach()');
    }
    if (value && !/float/.test(this.dtype))
      throw new AutogradError(`requiresGrad: needs a floating dtype, the tensor is ${this.dtype}`);
    this.#requiresGrad = value;
  }
  /**
   * Gradient, filled by `backward()` for leaves with `requiresGrad`. One that is set must have this tensor's shape and
   * dtype; undefined takes it away.
   *
   * @throws ShapeError, DTypeError; DisposedError for a disposed gradient; ArgumentError for what is no tensor
   */
  get grad(): Tensor | undefined {
    return this.#grad;
  }
  set grad(value: Tensor | undefined) {
    if (value !== undefined && value !== null) {
      Tensor.handleOf(value, 'grad', 'the gradient');
      if (value.shape.length !== this.shape.length || value.shape.some((n, i) => n !== this.shape[i]))
        throw new ShapeError(
          `grad: the gradient must have the tensor's shape [${this.shape.join(', ')}], got [${value.shape.join(', ')}]`,
        );
      if (value.dtype !== this.dtype)
        throw new DTypeError(`grad: the gradient must have the tensor's dtype ${this.dtype}, got ${value.dtype}`);
      if (value === this) throw new ArgumentError('grad: the gradient must be another tensor, got the tensor itself');
    }
    this.#grad = value ?? undefined;
  }
  get isLeaf(): boolean {
    return this.producer === undefined;
  }

  /** The elements in row-major order, copied; bfloat16 as float32, bool as 0 and 1. Waits for the device. */
  dataSync(): DataArray {
    hostReads.check('dataSync');
    return readElements(this.#id('dataSync'), this.dtype, this.size, 'dataSync');
  }
  /**
   * The elements in row-major order, copied on another thread while JavaScript runs on; bfloat16 as float32, bool as 0
   * and 1. Writes to the tensor wait for the copy, which sees the values of now.
   */
  async data(): Promise<DataArray> {
    hostReads.check('data');
    const id = this.#id('data');
    const target = new ARRAY_TYPES[this.dtype](this.size);
    const source = readable(id, this.dtype);
    try {
      await guarded(() => addon().readAsync(source.id, target), { op: 'readAsync', name: 'data' }).catch(
        (error: unknown) => {
          throw typedError(error);
        },
      );
    } finally {
      if (source.id !== id) addon().release(source.id);
    }
    return target;
  }
  /** @internal Orders a read of the values of now: a loop looks at them some steps later without waiting for those. */
  readLater(): OrderedRead {
    hostReads.check('readLater');
    const source = readable(this.#id('readLater'), this.dtype);
    try {
      return new OrderedRead(
        guarded(() => addon().readLater(source.id)),
        new ARRAY_TYPES[this.dtype](this.size),
      );
    } finally {
      if (source.id !== this.#handle.id) addon().release(source.id);
    }
  }
  /** The value of a tensor with one element; a boolean for bool. */
  item(): number | boolean {
    hostReads.check('item');
    const id = this.#id('item');
    if (this.size !== 1)
      throw new ArgumentError(`item: needs exactly one element, the shape is [${this.shape.join(', ')}]`);
    const value = readElements(id, this.dtype, 1, 'item')[0] as number;
    return this.dtype === 'bool' ? value !== 0 : value;
  }

  /** Releases this tensor's claim on its memory. Twice is fine; use after it is a DisposedError. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.producer = undefined;
    this.#handle.release();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }

  toString(): string {
    return formatTensor(this);
  }
  [inspect.custom](): string {
    return formatTensor(this);
  }
}

const ARRAY_TYPES = {
  bool: Uint8Array,
  uint8: Uint8Array,
  int32: Int32Array,
  bfloat16: Float32Array,
  float32: Float32Array,
  float64: Float64Array,
} as const;

/** Elements on their way to the host. */
export class OrderedRead {
  readonly #read: number;
  readonly #target: DataArray;
  #ended = false;

  constructor(read: number, target: DataArray) {
    this.#read = read;
    this.#target = target;
  }
  /** Waits for them, once. @throws what kernels found wrong before it */
  wait(): DataArray {
    this.#ended = true;
    guarded(() => {
      addon().endRead(this.#read, this.#target);
    });
    return this.#target;
  }
  dispose(): void {
    if (this.#ended) return;
    this.#ended = true;
    addon().endRead(this.#read, undefined);
  }
}

/**
 * A tensor that a typed array can hold. bfloat16 has no such array, so it is cast: a tensor of another number, which the
 * caller releases after the read.
 */
function readable(id: TensorId, dtype: DType): Owner {
  const owner: Owner = { id };
  if (dtype === 'bfloat16') {
    const cast: Owner = { id: -1 };
    cast.id = guarded(() => addon().ops.cast(cast, id, DTYPES.indexOf('float32')));
    return cast;
  }
  return owner;
}

function readElements(id: TensorId, dtype: DType, size: number, op: string): DataArray {
  const target = new ARRAY_TYPES[dtype](size);
  const source = readable(id, dtype);
  try {
    guarded(
      () => {
        addon().read(source.id, target);
      },
      { op: 'read', name: op },
    );
  } finally {
    if (source.id !== id) addon().release(source.id);
  }
  return target;
}
