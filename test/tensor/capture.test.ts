/** `capture` has one contract on every device; `npm run test:simt` runs this where there are graphs. */
import { describe, expect, it } from '@jest/globals';
import { inspect } from 'node:util';
import {
  add,
  add_,
  ArgumentError,
  AutogradError,
  backward,
  capture,
  copy_,
  DeviceError,
  type Device,
  DisposedError,
  embedding,
  full,
  Generator,
  type HrmError,
  keep,
  matmul,
  memory,
  mul,
  noGrad,
  ones,
  OutOfMemoryError,
  rand,
  ShapeError,
  sum,
  synchronize,
  tensor,
  type Tensor,
  tidy,
  trimMemory,
  zeros,
} from '../../ts/index';
import { addon, collectGarbage } from '../../ts/native/boundary';
import { eachDevice } from '../support/devices';

const numbers = (t: Tensor): number[] => Array.from(t.dataSync());

/** The device's memory once dead tensors are collected. */
async function settled(device: Device) {
  for (let i = 0; i < 3; ++i) {
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
  }
  return memory(device);
}

eachDevice('capture', (device) => {
  const isRecorded = device !== 'cpu';
  const on = (values: readonly number[] | number): Tensor => tensor(values, { device });

  it('runs what it was made of, with what is copied into the inputs', () => {
    const [x, w, b] = [zeros([2, 2], { device }), on([1, 2]), on([10, 20])];
    let runs = 0;
    const step = capture(() => {
      ++runs;
      return { y: add(matmul(x, w.reshape([2, 1])).reshape([2]), b), all: [sum(x)] };
    });
    const results = [0, 1, 2, 3, 4].map((i) => {
      copy_(x, tensor([i, 1, 2, i], { shape: [2, 2] }));
      const result = step();
      expect(numbers(result.y)).toEqual([10 + i + 2, 20 + 2 + 2 * i]);
      expect(numbers(result.all[0]!)).toEqual([3 + 2 * i]);
      return result;
    });
    expect(runs).toBe(isRecorded ? 2 : 5);
    expect(results[4]!.y === results[1]!.y).toBe(isRecorded);
    // Those of the calls before the last hold no more, or hold what the last one wrote.
    expect(results[0]!.y.isDisposed).toBe(true);
    step.dispose();
  });

  it('carries state in tensors that it writes', () => {
    const count = on([0, 0]);
    const step = capture(() => {
      add_(count, 1);
    });
    for (let i = 1; i <= 5; ++i) {
      step();
      expect(numbers(count)).toEqual([i, i]);
    }
    step.dispose();
  });

  it('lets results survive a tidy around the call', () => {
    const x = on([1]);
    const step = capture(() => mul(x, 2));
    for (let i = 0; i < 4; ++i) {
      tidy(() => {
        step();
      });
      expect(numbers(tidy(() => step()))).toEqual([2]);
    }
    step.dispose();
  });

  it('returns tensors of others as they are', () => {
    const x = on([1]);
    const step = capture(() => [x, mul(x, 3)] as const);
    for (let i = 0; i < 3; ++i) expect(step()[0]).toBe(x);
    step.dispose();
    expect(numbers(x)).toEqual([1]);
  });

  it('makes stale what was saved before a run wrote it', () => {
    const [w, x] = [on([2]), on([3])];
    x.requiresGrad = true;
    const step = capture(() => {
      noGrad(() => add_(w, 1));
      return mul(w, 2);
    });
    for (let i = 0; i < 3; ++i) {
      step();
      const ofState = mul(w, x);
      step();
      expect(() => {
        backward(sum(ofState));
      }).toThrow(AutogradError);
    }
    if (isRecorded) {
      const ofResult = mul(step(), x);
      step();
      expect(() => {
        backward(sum(ofResult));
      }).toThrow(AutogradError);
    }
    step.dispose();
  });

  it('adds up gradients as the function does', () => {
    const gradients = (wrap: (fn: () => void) => () => void): number[][] => {
      const [w, x] = [on([1, 2]), on([3, 4])];
      w.requiresGrad = true;
      const step = wrap(() => {
        backward(sum(mul(mul(w, w), x)));
      });
      const seen = [1, 2, 3, 4].map((i) => {
        copy_(x, tensor([i, 2 * i]));
        step();
        return numbers(w.grad!);
      });
      (step as { dispose?: () => void }).dispose?.();
      return seen;
    };
    expect(gradients(capture)).toEqual(gradients((fn) => fn));
  });

  it('gives results that carry no graph', () => {
    const w = on([3]);
    w.requiresGrad = true;
    const step = capture(() => mul(w, w));
    for (let i = 0; i < 3; ++i) expect(step().requiresGrad).toBe(false);
    step.dispose();
  });

  it('draws new numbers at every run', () => {
    const drawn = (wrap: (fn: () => Tensor) => () => Tensor): number[][] => {
      const generator = new Generator(5, { device });
      const step = wrap(() => rand([3], { generator }));
      return [1, 2, 3, 4].map(() => numbers(step()));
    };
    const eager = drawn((fn) => fn);
    expect(drawn(capture)).toEqual(eager);
    expect(new Set(eager.map(String)).size).toBe(4);
  });

  it('goes on after fn threw', () => {
    const x = on([1]);
    const errors = { shape: ShapeError, memory: OutOfMemoryError, own: RangeError };
    let mode: 'fine' | keyof typeof errors = 'own';
    const escaped: Tensor[] = [];
    const step = capture(() => {
      const y = mul(x, 2);
      escaped.push(keep(add(x, 1)));
      if (mode === 'shape') add(y, zeros([3, 2], { device }).reshape([5]));
      if (mode === 'memory') zeros([2 ** 46], { device });
      if (mode === 'own') throw new RangeError('own');
      return y;
    });
    // A first call that ends early has made nothing once and for all.
    expect(() => step()).toThrow(RangeError);
    mode = 'fine';
    expect(numbers(step())).toEqual([2]);
    for (mode of ['shape', 'memory', 'own'] as const) expect(() => step()).toThrow(errors[mode]);
    // What was made while nothing ran holds nothing.
    expect(escaped.map((t) => t.isDisposed)).toEqual([false, false, isRecorded, isRecorded, isRecorded]);
    mode = 'fine';
    for (let i = 2; i < 5; ++i) {
      copy_(x, tensor([i]));
      expect(numbers(step())).toEqual([2 * i]);
    }
    expect(numbers(add(x, 1))).toEqual([5]);
    step.dispose();
  });

  it('is made again of the same function', () => {
    const x = on([1]);
    const double = (): Tensor => mul(x, 2);
    for (let i = 1; i <= 3; ++i) {
      using step = capture(double);
      copy_(x, tensor([i]));
      expect([1, 2, 3].map(() => numbers(step()))).toEqual([[2 * i], [2 * i], [2 * i]]);
    }
    expect(numbers(double())).toEqual([6]);
  });

  it('waits for nobody who reads meanwhile, and gives him what was there', async () => {
    const x = on([1]);
    const step = capture(() => {
      add_(x, 1);
      return mul(x, 10);
    });
    const seen: Promise<ArrayLike<number>>[] = [];
    for (let i = 0; i < 4; ++i) {
      seen.push(x.data());
      seen.push(step().data());
    }
    expect((await Promise.all(seen)).map((values) => values[0])).toEqual([1, 20, 2, 30, 3, 40, 4, 50]);
    step.dispose();
  });

  it('refuses to run inside another, and promises', () => {
    const x = on([1]);
    const inner = capture(() => mul(x, 2));
    const outer = capture(() => inner());
    const within = capture((): unknown => within());
    for (let i = 0; i < 3; ++i) {
      expect(() => outer()).toThrow(DeviceError);
      expect(() => within()).toThrow(/cannot run inside another/);
      expect(numbers(inner())).toEqual([2]);
    }
    const plain = capture(() => mul(x, 3), { device: 'cpu' });
    const around = capture(() => (isRecorded ? 0 : numbers(plain())), { device: 'cpu' });
    expect(around()).toEqual(isRecorded ? 0 : [3]);
    const itself = capture((): unknown => itself(), { device: 'cpu' });
    expect(() => itself()).toThrow(/must not call itself/);
    expect(() => capture(() => Promise.resolve(1))()).toThrow(ArgumentError);
    expect(() => capture(3 as never)).toThrow(ArgumentError);
    expect(() => capture(() => 1, { device: 'gpu' as never })).toThrow(ArgumentError);
    expect(() => capture(() => 1, { device: 'cuda:63' })).toThrow(DeviceError);
    expect(() => capture(() => 1, { what: 1 } as never)).toThrow(ArgumentError);
    const disposing = capture(() => {
      disposing.dispose();
    });
    expect(() => disposing()).toThrow(ArgumentError);
    outer.dispose();
    inner.dispose();
  });

  it('does nothing when fn does, and runs it on the CPU when asked to', () => {
    const nothing = capture(() => 7, { device });
    expect([nothing(), nothing(), nothing()]).toEqual([7, 7, 7]);
    nothing.dispose();
    let runs = 0;
    const x = on([1]);
    const eager = capture(() => [mul(x, ++runs)], { device: 'cpu' });
    expect([1, 2, 3].map(() => numbers(eager()[0]!))).toEqual([[1], [2], [3]]);
    eager.dispose();
  });

  it('gives its memory back', async () => {
    const x = on(Array.from({ length: 1000 }, (_, i) => i));
    const before = await settled(device);
    const step = capture(() => {
      let y = add(x, 1);
      for (let i = 0; i < 5; ++i) y = mul(y, 0.5);
      return [y, sum(y)];
    });
    for (let i = 0; i < 3; ++i) step();
    const [y, total] = step() as [Tensor, Tensor];
    const view = y.reshape([10, 100]);
    const during = memory(device);
    expect(during.liveBytes).toBeGreaterThan(before.liveBytes);
    step.dispose();
    step.dispose();
    for (const t of [y, total]) {
      expect(t.isDisposed).toBe(true);
      expect(() => t.dataSync()).toThrow(DisposedError);
      expect(() => add_(t, 1)).toThrow(DisposedError);
    }
    if (isRecorded) {
      expect(view.isDisposed).toBe(true);
      expect(() => sum(view)).toThrow(DisposedError);
    }
    view.dispose();
    expect(() => step()).toThrow(DisposedError);
    const after = await settled(device);
    expect(after.liveBytes).toBe(before.liveBytes);
    expect(after.tensors).toBe(before.tensors);
    expect(numbers(x)[999]).toBe(999);
  });

  it('gives its memory back when nobody holds it any more, and not before', async () => {
    const x = on([1, 2]);
    const before = await settled(device);
    const result = (() => {
      const step = capture(() => mul(x, 3));
      step();
      step();
      return step();
    })();
    await settled(device);
    expect(numbers(result)).toEqual([3, 6]);
    result.dispose();
    expect((await settled(device)).liveBytes).toBe(before.liveBytes);
  });

  it('keeps what its work reads', async () => {
    const step = (() => {
      const [x, y] = [on([1, 2]), on([5, 5])];
      const captured = capture(() => add(x, y));
      captured();
      captured();
      if (isRecorded) x.dispose();
      return captured;
    })();
    await settled(device);
    // Whoever got the memory now would write over it.
    const others = [1, 2, 3].map(() => full([2], -1, { device }));
    expect(numbers(step())).toEqual([6, 7]);
    for (const t of others) t.dispose();
    step.dispose();
  });
});

const recorded = addon().gpu().name;
(recorded === null ? describe.skip : describe)(`a capture on ${recorded}`, () => {
  const device = recorded ?? 'cpu';

  it('allocates nothing when it runs', () => {
    const x = rand([64, 64], { generator: new Generator(1, { device }) });
    const step = capture(() => {
      const y = matmul(x, x);
      return sum(mul(y, add(y, 1)));
    });
    step();
    step();
    const { systemAllocations, liveBytes, tensors } = memory(device);
    for (let i = 0; i < 20; ++i) step();
    expect(memory(device)).toMatchObject({ systemAllocations, liveBytes, tensors });
    // Its free blocks are its own: nobody else gets them, nor does the system.
    trimMemory(device);
    const [before] = numbers(step());
    const others = Array.from({ length: 8 }, () => full([64, 64], 1e30, { device }));
    expect(numbers(step())).toEqual([before]);
    for (const t of others) expect(numbers(t)[0]).toBe(Math.fround(1e30));
    step.dispose();
  });

  // What is refused is named by what it does, where it does several things.
  it.each<[string, (x: Tensor, generator: Generator) => unknown, named?: string]>([
    ['item', (x) => x.item()],
    ['dataSync', (x) => x.dataSync()],
    ['toString', (x) => x.toString(), 'dataSync'],
    ['inspect', (x) => inspect(x), 'dataSync'],
    ['to', (x) => x.to('cpu')],
    ['copy_', (x) => copy_(x, tensor([1]))],
    ['tensor', () => tensor([1], { device })],
    ['synchronize', () => synchronize(device)],
    ['Generator', (_, generator) => generator.seed(3)],
    ['Generator.save', (_, generator) => generator.save(), 'dataSync'],
    ['Generator.load', (_, generator) => generator.load({ seed: [1, 2], counter: [3, 4] }), 'Generator'],
  ])('refuses the host: %s', (name, touch, named = name) => {
    const [x, generator] = [tensor([4], { device }), new Generator(1, { device })];
    let touches = true;
    const step = capture(() => {
      const y = mul(x, 2);
      if (touches) touch(x, generator);
      return y;
    });
    step();
    let error: unknown;
    try {
      step();
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(DeviceError);
    expect((error as HrmError).message).toMatch(
      new RegExp(`^${named}: inside capture\\(\\) the host cannot read from, write to or wait`),
    );
    // Nothing of it is left.
    touches = false;
    copy_(x, tensor([5]));
    expect([1, 2, 3].map(() => numbers(step()))).toEqual([[10], [10], [10]]);
    synchronize(device);
    step.dispose();
  });

  it('refuses data()', async () => {
    const x = tensor([4], { device });
    const reads: Promise<unknown>[] = [];
    const step = capture(() => {
      reads.push(x.data().catch((error: unknown) => error));
      return mul(x, 2);
    });
    step();
    expect(numbers(step())).toEqual([8]);
    expect(await reads[0]).toEqual(Float32Array.of(4));
    const refusal = await reads[1];
    expect(refusal).toBeInstanceOf(DeviceError);
    expect((refusal as DeviceError).message).toMatch(/^data: inside capture/);
    step.dispose();
  });

  it('takes numbers, fills and scalars of the CPU', () => {
    const x = tensor([1, 2], { device });
    const step = capture(() => add(mul(x, tensor(3)), add(zeros([2], { device }), ones([2], { device }))));
    expect([1, 2, 3].map(() => numbers(step()))).toEqual([
      [4, 7],
      [4, 7],
      [4, 7],
    ]);
    step.dispose();
  });

  it('finds an index out of range at the run that has it', () => {
    const [weight, ids] = [ones([4, 2], { device }), tensor(Int32Array.of(1, 2), { device })];
    const step = capture(() => embedding(weight, ids));
    for (let i = 0; i < 3; ++i) step();
    synchronize(device);
    copy_(ids, tensor(Int32Array.of(1, 9)));
    step();
    expect(() => synchronize(device)).toThrow(/indices must be in 0..3, got 9/);
    copy_(ids, tensor(Int32Array.of(1, 3)));
    expect(numbers(step())).toEqual([1, 1, 1, 1]);
    step.dispose();
  });
});
