/** Makes hostile calls and counts what comes of them. */
import fc from 'fast-check';
import { inspect, types } from 'node:util';
import { getNumThreads, HrmError, memory, setLeakMode, setMemoryLimit, setNumThreads, Tensor } from '../../ts';
import { addon } from '../../ts/native/boundary';
import { type Subject, type Subjects } from './subject';
import { subjects } from './subjects';
import { CallbackError, disposeMade, hostileAny, hostileBounded, int, type Make } from './values';

/** Small enough that absurd sizes are refused, large enough for everything that is sane. */
const MEMORY_LIMIT = 256 << 20;
const HANG_MS = 60_000;

export interface Failure {
  readonly subject: string;
  readonly problem: string;
  readonly args: string;
  count: number;
}

export interface FuzzReport {
  readonly seed: number;
  calls: number;
  results: number;
  callbackErrors: number;
  /** By error code. */
  readonly refusals: Map<string, number>;
  /** Calls that ran at least one op, view, read, write or setting of the addon. */
  reachedNative: number;
  readonly failures: Failure[];
  slowest: { name: string; ms: number };
  readonly subjects: number;
}

let nativeCalls = 0;
let counting = false;

/** Replaces the addon's functions by ones that count. What only describes a tensor does not count. */
function countNativeCalls(): void {
  if (counting) return;
  counting = true;
  const native = addon();
  const counted = (table: Record<string, unknown>, names: readonly string[]): void => {
    for (const name of names) {
      const original = table[name] as (...args: unknown[]) => unknown;
      table[name] = (...args: unknown[]): unknown => {
        ++nativeCalls;
        return original(...args);
      };
    }
  };
  counted(native.ops, Object.keys(native.ops));
  counted(native.inplace, Object.keys(native.inplace));
  counted(native.views, Object.keys(native.views));
  counted(native as unknown as Record<string, unknown>, [
    ...['empty', 'write', 'read', 'readAsync'],
    ...['memory', 'resetPeak', 'trimMemory', 'setMemoryLimit', 'setNumThreads', 'getNumThreads'],
  ]);
}

/** One planned call. */
interface Plan {
  readonly subject: Subject;
  readonly args: readonly Make[];
}

function getterThatThrows(): never {
  throw new TypeError('hostile getter');
}

/** The value with one part of it replaced, or one part that throws when it is read. */
function damaged(whole: unknown, pick: number, part: Make, throwing: boolean): unknown {
  if (typeof whole !== 'object' || whole === null || Tensor.isTensor(whole) || ArrayBuffer.isView(whole)) return part();
  const copy: object = Array.isArray(whole) ? [...(whole as unknown[])] : { ...whole };
  const keys = Object.keys(copy);
  if (keys.length === 0) return part();
  const key = keys[pick % keys.length]!;
  const descriptor = throwing ? { get: getterThatThrows } : { value: part() };
  return Object.defineProperty(copy, key, { ...descriptor, enumerable: true, configurable: true });
}

/** Half of the calls have arguments that are nearly right; in the others one or more are hostile in whole or part. */
function planOf(subject: Subject): fc.Arbitrary<Plan> {
  const hostile = subject.bounded ? hostileBounded : hostileAny;
  return fc
    .record({
      args: fc.tuple(...subject.args),
      mode: fc.nat(99),
      pick: fc.nat(1000),
      first: hostile,
      second: hostile,
    })
    .map(({ args, mode, pick, first, second }) => {
      const n = args.length;
      const changed: Make[] = [...args];
      const at = pick % Math.max(1, n);
      if (mode >= 50 && mode < 75 && n > 0) changed[at] = first;
      else if (mode >= 75 && mode < 82 && n > 0) {
        changed[at] = first;
        changed[(at + 1) % n] = second;
      } else if (mode >= 82 && mode < 95 && n > 0) {
        const whole = args[at]!;
        changed[at] = () => damaged(whole(), pick >> 3, first, mode < 86);
      } else if (mode >= 95 && mode < 98) changed.pop();
      else if (mode >= 98) changed.push(first);
      return { subject, args: changed };
    });
}

function shown(args: readonly unknown[]): string {
  const show = (arg: unknown): string => {
    try {
      const text =
        Tensor.isTensor(arg) && !arg.isDisposed
          ? `${arg.dtype}[${arg.shape.join()}]`
          : inspect(arg, { depth: 1, maxArrayLength: 8 });
      return text.length > 160 ? `${text.slice(0, 160)}...` : text;
    } catch {
      return 'a value that cannot be shown';
    }
  };
  return args.map(show).join(', ');
}

function problemOf(error: unknown): string {
  try {
    if (!(error instanceof Error)) return `threw ${inspect(error)}`;
    const lines = (error.stack ?? '').split('\n').filter((line) => /\/ts\//.test(line));
    return `threw a raw ${error.name}: ${error.message.split('\n')[0]!} ${(lines[0] ?? '').trim()}`;
  } catch {
    return 'threw a value that cannot be shown';
  }
}

function disposeResult(result: unknown): void {
  if (Tensor.isTensor(result)) result.dispose();
  if (types.isProxy(result) || !Array.isArray(result)) return;
  try {
    for (const item of result.slice(0, 100)) if (Tensor.isTensor(item)) item.dispose();
  } catch (error) {
    // An item that throws when it is read: a callback's own array, handed through.
    if (!(error instanceof TypeError) || error.message !== 'hostile') throw error;
  }
}

/** What a callback threw, or calling what only looks like a function. */
function isOwn(error: unknown): boolean {
  if (error instanceof CallbackError) return true;
  return error instanceof TypeError && /^(Class constructors? |Cannot perform 'apply' on a proxy)/.test(error.message);
}

async function settled(result: Promise<unknown>): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const hang = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`did not settle in ${HANG_MS} ms`)), HANG_MS);
  });
  try {
    return await Promise.race([result, hang]);
  } finally {
    clearTimeout(timer);
  }
}

export interface FuzzOptions {
  readonly calls: number;
  readonly seed: number;
  /** Only subjects whose name contains this. */
  readonly only?: string;
  /** Instead of every function of the package. */
  readonly subjects?: Subjects;
  /** Called before each call, with its name and number. */
  readonly onCall?: (name: string, call: number) => void;
}

/** Makes `calls` calls. The same seed gives the same calls. */
export async function fuzz({ calls, seed, only, onCall, subjects: given }: FuzzOptions): Promise<FuzzReport> {
  countNativeCalls();
  const chosen = Object.entries(given ?? (await subjects())).filter(
    ([name]) => only === undefined || name.includes(only),
  );
  // Rare ones, which take long, come up once in a hundred rounds.
  const names = chosen.flatMap(([name, { rare }]) => (rare ? [name] : new Array<string>(100).fill(name)));
  const table = new Map(chosen);
  const report: FuzzReport = {
    ...{ seed, calls: 0, results: 0, callbackErrors: 0, reachedNative: 0, subjects: chosen.length },
    ...{ refusals: new Map(), failures: [], slowest: { name: '', ms: 0 } },
  };
  const fail = (subject: string, problem: string, args: readonly unknown[]): void => {
    const known = report.failures.find((failure) => failure.subject === subject && failure.problem === problem);
    if (known) ++known.count;
    else report.failures.push({ subject, problem, args: shown(args), count: 1 });
  };
  const plans = fc.constantFrom(...names).chain((name) => planOf(table.get(name)!).map((plan) => ({ name, plan })));
  const property = fc.asyncProperty(plans, async ({ name, plan }) => {
    onCall?.(name, report.calls);
    ++report.calls;
    setMemoryLimit(MEMORY_LIMIT);
    const args = plan.args.map((make) => make());
    const before = nativeCalls;
    const start = performance.now();
    try {
      const result = plan.subject.call(...args);
      // Not awaited otherwise: a result with a hostile `then` is the caller's own.
      disposeResult(types.isPromise(result) ? await settled(result) : result);
      ++report.results;
    } catch (error) {
      if (isOwn(error)) ++report.callbackErrors;
      else if (error instanceof HrmError) {
        report.refusals.set(error.code, (report.refusals.get(error.code) ?? 0) + 1);
        if (!/\S: \S/.test(error.message)) fail(name, `message without subject: ${error.message}`, args);
        if (error.code === 'HRM_NATIVE') fail(name, `defect of the engine: ${error.message}`, args);
      } else fail(name, problemOf(error), args);
    }
    const ms = performance.now() - start;
    if (ms > report.slowest.ms) report.slowest = { name, ms };
    if (nativeCalls > before) ++report.reachedNative;
    setLeakMode(false);
    setMemoryLimit(MEMORY_LIMIT);
    setNumThreads(2);
    disposeMade();
  });
  // Settings of the process, in which other tests run after this one.
  const { limitBytes } = memory();
  const threads = getNumThreads();
  try {
    await fc.assert(property, { numRuns: calls, seed, endOnFailure: true });
  } finally {
    setMemoryLimit(limitBytes);
    setNumThreads(threads);
  }
  return report;
}

/** A function of one number as the only subject: for tests of the fuzzer itself. */
export function damagedCalls(fn: (value: unknown) => unknown): Subjects {
  return { planted: { args: [int(0, 9)], call: fn } };
}

/** The report in words. */
export function formatReport(report: FuzzReport): string {
  const refused = [...report.refusals].sort(([, a], [, b]) => b - a);
  const share = ((100 * report.reachedNative) / Math.max(1, report.calls)).toFixed(1);
  return [
    `${report.calls} calls of ${report.subjects} functions, seed ${report.seed}: ${report.results} gave a result, ` +
      `${refused.reduce((sum, [, n]) => sum + n, 0)} a typed error, ${report.callbackErrors} the error of a callback`,
    `refusals: ${refused.map(([code, n]) => `${code} ${n}`).join(', ')}`,
    `${share}% of the calls reached native code; the slowest was ${report.slowest.name}, ${report.slowest.ms.toFixed(0)} ms`,
    ...report.failures.map(
      ({ subject, problem, args, count }) => `FAIL ${subject} (${count} x): ${problem}\n     with ${args}`,
    ),
    `${report.failures.length} failures`,
  ].join('\n');
}
