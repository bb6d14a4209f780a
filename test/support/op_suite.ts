/** The checks that one case file an op drives. Each throws an Error that says what is wrong. */
import { DTypeError } from '../../ts/error';
import { add, type Device, grad, mul, sum, type Tensor, tidy } from '../../ts/index';
import { type DType, isFloat } from '../../ts/tensor/dtype';
import { type Arr, arr, sizeOf } from './arrays';
import { gradcheck } from './gradcheck';
import { asList, inLayout, inputDType, LAYOUTS, toArr, valuesOf } from './inputs';
import { ALL_DTYPES, type OpCase, type Sample } from './op_case';
import {
  chainBound,
  errorBound,
  exactRounding,
  type FloatDType,
  intermediateRounding,
  resultRounding,
  storedRounding,
} from './tolerance';

const MIN_SAMPLES = 12;

export function checkSamples(name: string, spec: OpCase): void {
  const shapes = spec.samples.flatMap((sample) => [
    ...sample.shapes,
    ...(spec.made ? [spec.made(sample.options)] : []),
  ]);
  if (spec.samples.length < MIN_SAMPLES)
    throw new Error(`${name}: has ${spec.samples.length} samples, needs at least ${MIN_SAMPLES}`);
  if (!shapes.some((shape) => sizeOf(shape) === 0)) throw new Error(`${name}: has no sample with an empty tensor`);
  const smallest = spec.smallest ?? 1;
  if (!shapes.some((shape) => sizeOf(shape) === smallest))
    throw new Error(`${name}: has no sample with ${smallest} element${smallest === 1 ? '' : 's'}`);
  if (!spec.refused.length) throw new Error(`${name}: lists no input that must be refused`);
}

/** Forward in one dtype: shapes, dtypes, and errors at most twice the naive implementation's. */
export function checkForward(name: string, spec: OpCase, dtype: DType, device: Device = 'cpu'): void {
  // Ops that make tensors, from no tensor that would say where.
  if (device !== 'cpu' && spec.made) return;
  if (!dtypesOn(device, spec).includes(dtype)) {
    // Inputs that all have dtypes of their own are not of this one.
    if (spec.dtypes.includes(dtype) && spec.inputDTypes?.every((own) => own !== undefined && own !== dtype)) return;
    expectError(`${name} of ${dtype}`, DTypeError, () =>
      runSample(name, spec, spec.samples[0] as Sample<unknown>, 0, dtype, device),
    );
    return;
  }
  spec.samples.forEach((sample, index) => {
    tidy(() => {
      runSample(name, spec, sample, index, dtype, device);
    });
  });
}

/** float64 lives on the CPU. */
function dtypesOn(device: Device, spec: OpCase): readonly DType[] {
  return device === 'cpu' ? spec.dtypes : spec.dtypes.filter((dtype) => dtype !== 'float64');
}

function runSample(
  name: string,
  spec: OpCase,
  sample: Sample<unknown>,
  index: number,
  dtype: DType,
  device: Device,
): void {
  // A result that only the CPU can have, of inputs that can be anywhere.
  const results = asList<DType>(spec.result?.(dtype, sample.options) ?? dtype);
  if (device !== 'cpu' && dtype !== 'float64' && results.includes('float64')) return;
  for (const layout of new Set(['contiguous', LAYOUTS[index % LAYOUTS.length] as (typeof LAYOUTS)[number]] as const)) {
    const tensors = valuesOf(name, spec, sample, index, dtype).map((value, i) =>
      inLayout(value, inputDType(spec, i, dtype), layout, device),
    );
    const inputs = tensors.map(toArr);
    const where = `${name} of ${dtype} ${JSON.stringify(sample.shapes)}, ${layout}, options ${JSON.stringify(sample.options)}`;
    compare(
      where,
      spec,
      sample.options,
      dtype,
      device,
      inputs,
      asList(spec.call(tensors, sample.options)).map((y) => ({ ...toArr(y), dtype: y.dtype })),
    );
  }
}

type Result = Arr & { readonly dtype: DType };

function compare(
  where: string,
  spec: OpCase,
  options: unknown,
  dtype: DType,
  device: Device,
  inputs: Arr[],
  results: readonly Result[],
): void {
  const dtypes = asList<DType>(spec.result?.(dtype, options) ?? dtype);
  const first = dtypes[0] as DType;
  const [none, round] = [exactRounding(first), intermediateRounding(first)];
  const exact = asList(spec.reference(inputs, options, none, none));
  // On the CPU bfloat16 is storage of inputs and results alone.
  const store = device === 'cpu' ? round : storedRounding(first);
  const naive = asList(spec.reference(inputs, options, round, store));
  const isJudgedTogether = spec.chain === true && device !== 'cpu' && first === 'bfloat16';
  if (results.length !== exact.length) throw new Error(`${where}: ${results.length} results, expected ${exact.length}`);
  results.forEach((y, i) => {
    const wanted = exact[i] as Arr;
    const expected = dtypes[i] ?? dtypes[0];
    if (y.dtype !== expected) throw new Error(`${where}: result ${i} is ${y.dtype}, expected ${expected}`);
    if (y.shape.join() !== wanted.shape.join())
      throw new Error(`${where}: result ${i} has shape [${y.shape.join(', ')}], expected [${wanted.shape.join(', ')}]`);
    if (isJudgedTogether) return;
    const rounded = resultRounding(expected);
    const naiveErrors = wanted.data.map((v, j) => Math.abs(rounded(naive[i]?.data[j] as number) - v) || 0);
    const largest = naiveErrors.reduce((a, b) => Math.max(a, b), 0);
    const largestTerm = spec.elementwise || spec.termScale ? 0 : magnitudeOf([...inputs, wanted]);
    y.data.forEach((value, j) => {
      const want = wanted.data[j]!;
      const naiveError = spec.elementwise || spec.termScale ? (naiveErrors[j] as number) : largest;
      const term = spec.termScale?.(inputs, wanted, j) ?? 0;
      const scale = Number.isFinite(term) ? Math.max(largestTerm, term) : largestTerm;
      if (!closeEnough(value, want, naiveError, scale, expected))
        throw new Error(`${where}: element ${j} of result ${i} is ${value}, expected ${want}`);
    });
  });
  if (isJudgedTogether) judgeTogether(where, first, exact, naive, results);
}

function judgeTogether(
  where: string,
  dtype: FloatDType,
  exact: readonly Arr[],
  naive: readonly Arr[],
  results: readonly Result[],
): void {
  const wanted = exact.flatMap((y) => Array.from(y.data));
  const errorOf = (found: readonly Arr[]): number =>
    Math.hypot(...found.flatMap((y) => Array.from(y.data)).map((value, i) => value - wanted[i]!));
  const rounded = naive.map((y) => ({ ...y, data: y.data.map(resultRounding(dtype)) }));
  const [error, naiveError] = [errorOf(results), errorOf(rounded)];
  const bound = chainBound(naiveError, Math.hypot(...wanted), Math.max(wanted.length, 1), dtype);
  if (!(error <= bound))
    throw new Error(`${where}: errors of norm ${error}, the naive implementation's of ${naiveError}`);
}

function magnitudeOf(arrays: readonly Arr[]): number {
  let largest = 0;
  for (const { data } of arrays)
    for (const value of data) if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value));
  return largest;
}

function closeEnough(value: number, want: number, naiveError: number, scale: number, dtype: DType): boolean {
  if (Object.is(value, want) || value === want) return true;
  if (Number.isNaN(want)) return Number.isNaN(value);
  if (!isFloat(dtype)) return false;
  // A finite exact result may overflow in the dtype, as the naive one does.
  if (!Number.isFinite(value)) return resultRounding(dtype)(want) === value;
  return (
    Math.abs(value - want) <= errorBound(Number.isFinite(naiveError) ? naiveError : 0, want, scale, dtype as FloatDType)
  );
}

/** NaN, infinities, zeros: each tuple of values as the elements of one call, so that vector and tail both see them. */
export function checkSpecials(name: string, spec: OpCase, device: Device = 'cpu'): void {
  const { specials } = spec;
  if (specials === undefined) return;
  for (const dtype of dtypesOn(device, spec).filter(isFloat)) {
    tidy(() => {
      const repeated = [...specials, ...specials, ...specials];
      const tensors = (specials[0] as readonly number[]).map((_, input) =>
        inLayout(
          arr(
            [repeated.length],
            repeated.map((tuple) => tuple[input] as number),
          ),
          inputDType(spec, input, dtype),
          'contiguous',
          device,
        ),
      );
      const options = spec.samples[0]?.options;
      const results = asList(spec.call(tensors, options)).map((y) => ({ ...toArr(y), dtype: y.dtype }));
      compare(`${name} of ${dtype}, special values`, spec, options, dtype, device, tensors.map(toArr), results);
    });
  }
}

/** Gradients by central differences, over all samples and layouts. */
export function checkGradients(name: string, spec: OpCase): void {
  if (spec.gradient !== true) return;
  spec.samples.forEach((sample, index) => {
    const layout = LAYOUTS[index % LAYOUTS.length];
    const inputs = valuesOf(name, spec, sample, index, 'float64').map((value, i) => {
      const dtype = inputDType(spec, i, 'float64');
      if (dtype === 'float32' || dtype === 'bfloat16') throw new Error(`${name}: gradcheck needs float64 inputs`);
      return { value, dtype, layout };
    });
    const where = `${name} ${JSON.stringify(sample.shapes)}, ${layout}, options ${JSON.stringify(sample.options)}`;
    gradcheck(where, (tensors) => spec.call(tensors, sample.options), inputs);
  });
}

/**
 * Gradients in float32 on a device against those of the CPU in float64: the error is at most twice the CPU's own in
 * float32, and what rounding may cost.
 */
export function checkGradientsOn(device: Device, name: string, spec: OpCase): void {
  if (spec.gradient !== true || spec.made || !spec.dtypes.includes('float32')) return;
  spec.samples.forEach((sample, index) => {
    // A result that only the CPU can have.
    if (asList<DType>(spec.result?.('float32', sample.options) ?? 'float32').includes('float64')) return;
    tidy(() => {
      const values = valuesOf(name, spec, sample, index, 'float32');
      const layout = LAYOUTS[index % LAYOUTS.length]!;
      const gradients = (dtype: DType, where: Device): Arr[] => {
        const inputs = values.map((value, i) => inLayout(value, inputDType(spec, i, dtype), layout, where));
        const leaves = inputs.filter((t) => isFloat(t.dtype));
        for (const leaf of leaves) leaf.requiresGrad = true;
        const total = asList<Tensor>(spec.call(inputs, sample.options))
          .filter((y) => y.requiresGrad)
          .map((y) => {
            const weights = arr(
              y.shape,
              Array.from({ length: y.size }, (_, i) => 1 + ((i * 7) % 5) / 4),
            );
            return sum(mul(y, inLayout(weights, y.dtype, 'contiguous', where)));
          });
        return total.length === 0
          ? []
          : grad(
              total.reduce((a, b) => add(a, b)),
              leaves,
            ).map(toArr);
      };
      const exact = gradients('float64', 'cpu');
      const naive = gradients('float32', 'cpu');
      const scales = exact.map((want) => want.data.reduce((a, v) => Math.max(a, Math.abs(v)), 0));
      const errors = exact.map((want, i) =>
        want.data.reduce((a, v, j) => Math.max(a, Math.abs(naive[i]!.data[j]! - v) || 0), 0),
      );
      const worst = Math.max(0, ...errors.map((error, i) => error / scales[i]! || 0));
      gradients('float32', device).forEach((found, i) => {
        const [want, scale] = [exact[i]!, scales[i]!];
        const error = spec.chain ? worst * scale : errors[i]!;
        found.data.forEach((value, j) => {
          if (!closeEnough(value, want.data[j]!, error, scale, 'float32'))
            throw new Error(
              `${name} on ${device} ${JSON.stringify(sample.shapes)}: gradient ${i}, element ${j} is ${value}, ` +
                `expected ${want.data[j]}`,
            );
        });
      });
    });
  });
}

export function checkRefused(name: string, spec: OpCase): void {
  for (const { what, run, error } of spec.refused) {
    tidy(() => {
      expectError(`${name}: ${what}`, error, run);
    });
  }
}

function expectError(what: string, error: new (message: string) => Error, run: () => unknown): void {
  let thrown: unknown;
  try {
    run();
  } catch (caught) {
    thrown = caught;
  }
  if (thrown === undefined) throw new Error(`${what}: was accepted, expected a ${error.name}`);
  if (!(thrown instanceof error))
    throw new Error(
      `${what}: expected a ${error.name}, got ${thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : 'something that is not an Error'}`,
    );
  const { message } = thrown;
  if (!/^[\w.]+: ./.test(message)) throw new Error(`${what}: the message does not name the op: ${message}`);
}

/** Every dtype, for a suite that loops. */
export const dtypesToCheck = ALL_DTYPES;

/** HRM_OPS=add,mul runs only those. */
export function selectedOps(all: readonly string[]): readonly string[] {
  const only = process.env.HRM_OPS?.split(',');
  return only === undefined ? all : all.filter((name) => only.includes(name));
}
