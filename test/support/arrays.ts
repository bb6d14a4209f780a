/** Dense row-major arrays in float64: what the naive references of the ops compute on. */
export interface Arr {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}

export function arr(shape: readonly number[], data: ArrayLike<number> = new Float64Array(sizeOf(shape))): Arr {
  if (data.length !== sizeOf(shape)) throw new Error(`arr: ${data.length} elements for shape [${shape.join(', ')}]`);
  return { shape, data: Float64Array.from(data) };
}

/** Every index of a shape, in row-major order. */
export function indicesOf(shape: readonly number[]): number[][] {
  const index = shape.map(() => 0);
  return Array.from({ length: sizeOf(shape) }, (_, flat) => {
    if (flat > 0) for (let d = shape.length - 1; ++(index[d] as number) === shape[d]; --d) index[d] = 0;
    return [...index];
  });
}

export function unravel(flat: number, shape: readonly number[]): number[] {
  const index = shape.map(() => 0);
  let rest = flat;
  for (let d = shape.length - 1; d >= 0; --d) {
    index[d] = rest % (shape[d] as number);
    rest = Math.floor(rest / (shape[d] as number));
  }
  return index;
}

/** Flat position of an index; sizes of 1 repeat and leading dimensions may be missing (broadcasting). */
export function ravel(index: readonly number[], shape: readonly number[]): number {
  const lead = index.length - shape.length;
  return shape.reduce((flat, n, d) => flat * n + (n === 1 ? 0 : (index[lead + d] as number)), 0);
}

export function broadcastShapes(...shapes: (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, d) => {
    const sizes = shapes.map((shape) => shape[d - rank + shape.length] ?? 1);
    return sizes.find((n) => n !== 1) ?? 1;
  });
}

/** f over broadcast elements. */
export function zip(inputs: readonly Arr[], f: (...values: number[]) => number): Arr {
  const shape = broadcastShapes(...inputs.map((input) => input.shape));
  return arr(
    shape,
    indicesOf(shape).map((index) => f(...inputs.map((input) => input.data[ravel(index, input.shape)] as number))),
  );
}

/** f over the elements of each slice along `dims` (none named: all), in row-major order. */
export function reduceOver(
  x: Arr,
  dims: readonly number[] | undefined,
  keepdim: boolean,
  f: (values: number[]) => number,
): Arr {
  const all = dims === undefined || dims.length === 0;
  const reduced = x.shape.map((_, d) => all || dims.some((dim) => (dim < 0 ? dim + x.shape.length : dim) === d));
  const kept = x.shape.map((n, d) => (reduced[d] ? 1 : n));
  const groups = Array.from({ length: sizeOf(kept) }, (): number[] => []);
  indicesOf(x.shape).forEach((index, flat) => {
    const at = index.map((i, d) => (reduced[d] ? 0 : i));
    groups[ravel(at, kept)]?.push(x.data[flat] as number);
  });
  const shape = keepdim ? kept : x.shape.filter((_, d) => !reduced[d]);
  return arr(shape, groups.map(f));
}

/** Uniform numbers in [0, 1), the same for the same seed text. */
export function randomSource(seed: string): () => number {
  let state = 0x9e3779b9;
  for (const char of seed) state = Math.imul(state ^ (char.codePointAt(0) as number), 0x85ebca6b) ^ (state >>> 13);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
