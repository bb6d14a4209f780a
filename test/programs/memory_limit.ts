/**
 * Works under a memory limit of 256 MB: what does not fit is an OutOfMemoryError, and everything before and after it gives
 * right results. `node dist-test/test/programs/memory_limit.js` prints what it did and exits 1 if anything was wrong.
 */
import * as api from '../../ts';

const MB = 2 ** 20;
const LIMIT = 256 * MB;

/** Tells apart "refused" and "done"; anything else is a failure of the engine. */
function attempt(call: () => unknown): 'done' | 'refused' {
  try {
    call();
    return 'done';
  } catch (error) {
    if (error instanceof api.OutOfMemoryError) return 'refused';
    throw error;
  }
}

function check(condition: boolean, what: string): void {
  if (!condition) throw new Error(`memory_limit: ${what}`);
}

/** A computation whose result is known: sum of (i / 1000 + 1)^2 by autograd, and a product. */
function checkArithmetic(when: string): void {
  const x = api.arange(0, 1000, { dtype: 'float64' }).div(1000);
  x.requiresGrad = true;
  const [dx] = api.grad(x.add(1).square().sum(), [x]);
  const expected = Array.from({ length: 1000 }, (_, i) => 2 * (i / 1000 + 1));
  const worst = Math.max(...Array.from(dx!.dataSync(), (value, i) => Math.abs(value - expected[i]!)));
  check(worst < 1e-12, `the gradient is wrong ${when}, by ${worst}`);
  const product = api.matmul(api.ones([64, 64]), api.full([64, 64], 2));
  check(
    product.dataSync().every((value) => value === 128),
    `the product is wrong ${when}`,
  );
}

/** Fills the memory with tensors of `size` bytes until one is refused; returns them. */
function fill(size: number): api.Tensor[] {
  const held: api.Tensor[] = [];
  while (attempt(() => held.push(api.full([size / 4], held.length))) === 'done')
    check(held.length * size <= LIMIT, `${held.length} tensors of ${size} bytes were given under a limit of ${LIMIT}`);
  return held;
}

export function memoryLimit(): string[] {
  const lines: string[] = [];
  const before = api.memory().limitBytes;
  // Blocks that were freed before the limit is set are no way around it.
  api.zeros([300 * MB]).dispose();
  api.setMemoryLimit(LIMIT);
  try {
    for (const size of [64 * MB, 5 * MB, MB, MB / 4]) {
      const held = fill(size);
      const { liveBytes } = api.memory();
      check(liveBytes <= LIMIT, `${liveBytes} bytes are live under a limit of ${LIMIT}`);
      check(held.length * size > 0.6 * LIMIT, `only ${held.length} tensors of ${size} bytes fit`);
      check(
        held.every((item, i) => item.narrow(0, 0, 1).item() === i && item.narrow(0, -1, 1).item() === i),
        'a tensor was overwritten',
      );
      // Results, scratch, copies and gradients are refused like tensors.
      const first = held[0]!;
      check(attempt(() => held.push(first.add(1))) === 'refused', 'the result of an op was not refused');
      check(attempt(() => held.push(first.expand([2, first.size]).clone())) === 'refused', 'a copy was not refused');
      for (const item of held.splice(0, Math.ceil(held.length / 4))) item.dispose();
      checkArithmetic(`with ${held.length} tensors of ${size} bytes`);
      lines.push(`${size / MB} MB tensors: ${held.length} kept, the next is refused, the engine goes on`);
      for (const item of held) item.dispose();
    }
    // Garbage is collected before anything is refused.
    for (let i = 0; i < 200; ++i) api.zeros([4 * MB]);
    lines.push('200 tensors of 16 MB, none of them disposed: collected as the limit is met');
    // One request beyond the limit, and beyond what can be counted.
    check(attempt(() => api.zeros([LIMIT / 4 + 1])) === 'refused', 'more than the limit was given');
    check(attempt(() => api.zeros([2 ** 40])) === 'refused', 'more than any memory was given');
    checkArithmetic('after the refusals');
    // Training under a limit that is too small for it, and then for real.
    const weight = api.ones([1024, 1024]);
    weight.requiresGrad = true;
    const x = api.ones([16 * 1024, 1024]);
    check(
      attempt(() => api.backward(api.linear(api.linear(x, weight), weight).square().sum())) === 'refused',
      'a step of 320 MB ran',
    );
    const small = x.narrow(0, 0, 16);
    check(attempt(() => api.backward(api.linear(small, weight).sum())) === 'done', 'a small step was refused');
    check(
      weight.grad!.dataSync().every((value) => value === 16),
      'the gradient is wrong after a refused step',
    );
    lines.push('a step that needs 320 MB is refused, a smaller one then gives the right gradient');
  } finally {
    api.setMemoryLimit(before);
  }
  return lines;
}

if (require.main === module) for (const line of memoryLimit()) process.stdout.write(`${line}\n`);
