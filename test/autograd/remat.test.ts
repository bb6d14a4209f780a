import { describe, expect, it } from '@jest/globals';
import {
  add,
  argmax,
  ArgumentError,
  AutogradError,
  backward,
  cast,
  DisposedError,
  exp,
  grad,
  isGradEnabled,
  memory,
  mul,
  noGrad,
  randn,
  remat,
  sum,
  type Tensor,
  tensor,
  tidy,
} from '../../ts/index';
import { fill_ } from '../../ts/ops/cast';
import { heldMemory } from '../support/memory';

const values = (t: Tensor | undefined): number[] => [...t!.dataSync()];
const leaf = (data: number[]): Tensor => tensor(data, { requiresGrad: true });

describe('remat', () => {
  it('gives the values and gradients of fn, which runs once more in backward', () => {
    let runs = 0;
    const fn = (a: Tensor, b: Tensor): Tensor => {
      ++runs;
      return mul(exp(mul(a, b)), a);
    };
    const [a, b] = [leaf([0.5, -1]), leaf([2, 0.25])];
    const y = remat(fn, a, b);
    expect(runs).toBe(1);
    expect(values(y)).toEqual(values(noGrad(() => fn(a, b))));
    runs = 0;
    const gradients = grad(sum(mul(y, y)), [a, b]);
    expect(runs).toBe(1);
    const plain = fn(a, b);
    expect(gradients.map(values)).toEqual(grad(sum(mul(plain, plain)), [a, b]).map(values));
  });

  it('keeps nothing but its inputs', () => {
    const a = randn([64, 64]);
    a.requiresGrad = true;
    const deep = (x: Tensor): Tensor => exp(exp(exp(exp(x))));
    const kept = (run: (x: Tensor) => Tensor): number => {
      const before = heldMemory().liveBytes;
      const y = tidy(() => run(a));
      const bytes = memory().liveBytes - before;
      y.dispose();
      return bytes / (64 * 64 * 4);
    };
    const alone = kept((x) => remat(deep, x));
    expect(alone).toBeGreaterThanOrEqual(1);
    expect(alone).toBeLessThan(1.5);
    expect(kept(deep)).toBeGreaterThan(3);
  });

  it('gives gradients where they are wanted, and sums those of an input that comes twice', () => {
    const [a, constant] = [leaf([3]), tensor([5])];
    const y = remat((x, k, again) => mul(mul(x, k), again), a, constant, a);
    backward(sum(y));
    expect(values(a.grad)).toEqual([30]);
    expect(constant.grad).toBeUndefined();
  });

  it('may pass an input on, or depend on none', () => {
    const a = leaf([3, 4]);
    const same = remat((x) => x, a);
    expect(same).not.toBe(a);
    expect(values(grad(sum(mul(same, same)), [a])[0])).toEqual([6, 8]);
    expect(values(grad(sum(remat(() => tensor([1, 2]), a)), [a])[0])).toEqual([0, 0]);
  });

  it('nests', () => {
    const a = leaf([0.5]);
    const y = remat((x) => exp(remat((z) => mul(z, z), x)), a);
    expect(grad(sum(y), [a])[0]!.item()).toBeCloseTo(Math.exp(0.25), 6);
  });

  it('records nothing under noGrad or without gradients', () => {
    const recording: boolean[] = [];
    const fn = (x: Tensor): Tensor => {
      recording.push(isGradEnabled());
      return exp(x);
    };
    expect(noGrad(() => remat(fn, leaf([1]))).requiresGrad).toBe(false);
    expect(remat(fn, tensor([1])).requiresGrad).toBe(false);
    expect(recording).toHaveLength(2);
  });

  it('refuses to drop gradients of what fn reads beside its inputs', () => {
    const w = leaf([2, 3]);
    // Without an input that wants a gradient nothing would be computed again.
    expect(() => remat((x) => mul(x, w), tensor([1, 2]))).toThrow(/remat: fn must read .* through its inputs alone/);
    expect(noGrad(() => values(remat((x) => mul(x, w), tensor([1, 2]))))).toEqual([2, 6]);
    const a = leaf([1, 2]);
    for (const fn of [(x: Tensor) => mul(x, w), () => w]) {
      const y = sum(remat(fn, a));
      expect(() => {
        backward(y);
      }).toThrow(AutogradError);
    }
    expect([a.grad, w.grad]).toEqual([undefined, undefined]);
    // The graph outside is still whole.
    const h = exp(w);
    const y = sum(remat((x) => mul(x, h), a));
    expect(() => grad(y, [a])).toThrow(/remat: fn must read/);
    expect(values(grad(sum(h), [w])[0])).toEqual(values(h));
    expect(values(grad(sum(remat((x, by) => mul(x, by), a, w)), [w])[0])).toEqual([1, 2]);
  });

  it('notices a constant that was written to before backward', () => {
    const [a, w, c] = [leaf([2]), leaf([3]), tensor([3])];
    const y = sum(remat((x) => mul(x, c), a));
    noGrad(() => fill_(c, 4));
    expect(() => {
      backward(y);
    }).toThrow(/remat: a tensor that fn reads was changed in place/);
    const z = sum(
      mul(
        remat((x) => mul(x, w.detach()), a),
        w,
      ),
    );
    expect(() => {
      backward(z, undefined, { onGradient: (which) => (which === w ? fill_(w, 100) : undefined) });
    }).toThrow(/remat: a tensor that fn reads was changed in place/);
    expect(a.grad).toBeUndefined();
  });

  it('refuses fn that writes to an input, and leaves what it refuses alone', () => {
    const c = tensor([3]);
    expect(() =>
      remat(
        (x, k) => {
          fill_(k, 1);
          return mul(x, k);
        },
        leaf([1]),
        c,
      ),
    ).toThrow(/remat: fn must not write to its inputs, inputs\[1\] was changed/);
    const w = leaf([2, 3]);
    expect(() => remat(() => w, c)).toThrow(AutogradError);
    expect(values(w)).toEqual([2, 3]);
  });

  it('gives what has no gradient as it is, and refuses another dtype the second time', () => {
    const a = leaf([1, 5, 2]);
    const y = remat((x) => argmax(x, 0), a);
    expect([y.dtype, y.requiresGrad, y.item()]).toEqual(['int32', false, 1]);
    let runs = 0;
    const z = sum(remat((x) => (runs++ === 0 ? exp(x) : exp(cast(x, 'float64'))), a));
    expect(() => {
      backward(z);
    }).toThrow(/remat: fn must give the same both times, got float32, then float64/);
  });

  it('notices an input that was written to, and a second backward', () => {
    const a = leaf([1, 2]);
    const y = sum(remat((x) => exp(x), a));
    noGrad(() => fill_(a, 0));
    expect(() => {
      backward(y);
    }).toThrow(AutogradError);
    const z = sum(remat((x) => exp(x), a));
    backward(z);
    expect(() => {
      backward(z);
    }).toThrow(AutogradError);
  });

  it('refuses what is no function, no tensor, disposed or asynchronous', () => {
    const a = leaf([1]);
    const call = remat as (...args: unknown[]) => Tensor;
    expect(() => call(1, a)).toThrow(ArgumentError);
    expect(() => call((x: Tensor) => x.mul(x))).toThrow(/remat: needs at least one input/);
    expect(() => call((x: Tensor) => x, 1)).toThrow(ArgumentError);
    expect(() => call(() => 1, a)).toThrow(ArgumentError);
    expect(() => call((x: Tensor) => [x], a)).toThrow(ArgumentError);
    expect(() => call((x: Tensor) => Promise.resolve(x), a)).toThrow(ArgumentError);
    const gone = leaf([1]);
    gone.dispose();
    expect(() => remat((x) => x, gone)).toThrow(DisposedError);
    expect(isGradEnabled()).toBe(true);
  });

  it('leaves no memory behind', () => {
    const a = leaf([1, 2]);
    const round = (): number => {
      tidy(() => {
        backward(sum(remat((x) => exp(mul(x, x)), a)));
      });
      a.grad!.dispose();
      a.grad = undefined;
      return memory().tensors;
    };
    const first = round();
    expect([round(), round(), round()].every((n) => n <= first)).toBe(true);
  });
});

describe('backward with onGradient', () => {
  it('hands over each leaf once, complete, before what comes earlier in the graph', () => {
    const [a, b] = [leaf([2]), leaf([5])];
    const told: [string, number[]][] = [];
    const early = mul(a, a);
    const late = mul(early, b);
    backward(sum(add(late, b)), undefined, {
      onGradient: (which) => {
        told.push([which === a ? 'a' : 'b', values(which.grad)]);
        which.grad!.dispose();
        which.grad = undefined;
        // Nothing of the rest reads it.
        if (which === b) noGrad(() => fill_(b, 100));
      },
    });
    expect(told).toEqual([
      ['b', [5]],
      ['a', [20]],
    ]);
    expect([a.grad, b.grad]).toEqual([undefined, undefined]);
  });

  it('leaves a gradient alive that the callback puts there', () => {
    const a = leaf([2]);
    backward(sum(mul(a, a)), undefined, {
      onGradient: (which) => {
        which.grad = mul(which.grad!, 0.5);
      },
    });
    expect(values(a.grad)).toEqual([2]);
  });

  it('adds to a gradient that was there, and works on a leaf that is the output', () => {
    const a = leaf([2]);
    const told: number[] = [];
    const onGradient = (which: Tensor): void => {
      told.push(which.grad!.item() as number);
    };
    backward(sum(a), undefined, { onGradient });
    backward(sum(a), undefined, { onGradient });
    backward(a, undefined, { onGradient });
    expect(told).toEqual([1, 2, 3]);
  });

  it('refuses a callback that returns a promise', () => {
    const later = (async () => {
      await Promise.resolve();
      throw new Error('of nobody');
    }) as unknown as () => void;
    expect(() => {
      backward(sum(leaf([2])), undefined, { onGradient: later });
    }).toThrow(/backward: onGradient must be synchronous/);
    expect(isGradEnabled()).toBe(true);
  });

  it('passes an error on and frees what was pending', () => {
    const [a, b] = [leaf([2]), leaf([3])];
    const attempt = (): number => {
      expect(() => {
        tidy(() => {
          backward(sum(mul(mul(a, a), b)), undefined, {
            onGradient: () => {
              throw new RangeError('mine');
            },
          });
        });
      }).toThrow(RangeError);
      for (const which of [a, b]) {
        which.grad?.dispose();
        which.grad = undefined;
      }
      return memory().tensors;
    };
    const first = attempt();
    expect(attempt()).toBeLessThanOrEqual(first);
    expect(() => {
      backward(sum(a), undefined, { onGradient: 1 as unknown as () => void });
    }).toThrow(ArgumentError);
  });
});
