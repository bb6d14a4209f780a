import { describe, expect, it } from '@jest/globals';
import {
  add,
  ArgumentError,
  AutogradError,
  backward,
  DisposedError,
  DTypeError,
  enableGrad,
  exp,
  grad,
  isGradEnabled,
  memory,
  mul,
  noGrad,
  ShapeError,
  sum,
  type Tensor,
  tensor,
  tidy,
  valueAndGrad,
  vjp,
} from '../../ts/index';
import { heldMemory } from '../support/memory';

const values = (t: Tensor | undefined): number[] => [...t!.dataSync()];

describe('valueAndGrad', () => {
  it('gives the value and the gradients in the order of the arguments', () => {
    const f = valueAndGrad((a: Tensor, b: Tensor) => sum(mul(mul(a, a), b)));
    const { value, grads } = f(tensor([1, 2]), tensor([3, 4]));
    expect(value.item()).toBe(19);
    expect(value.requiresGrad).toBe(false);
    expect(grads.map(values)).toEqual([
      [6, 16],
      [1, 4],
    ]);
  });

  it('leaves arguments and their gradients alone, also under noGrad', () => {
    const a = tensor([1, 2], { requiresGrad: true });
    const { grads } = noGrad(() => valueAndGrad((x: Tensor) => sum(mul(x, x)))(a));
    expect(grads.map(values)).toEqual([[2, 4]]);
    expect(a.grad).toBeUndefined();
  });

  it('gives zeros for what the value does not depend on, and leaves nothing behind', () => {
    const [a, b] = [tensor([1, 2]), tensor([3])];
    const before = memory().tensors;
    tidy(() => {
      const { grads } = valueAndGrad((x: Tensor, _y: Tensor) => sum(exp(x)))(a, b);
      expect(values(grads[1])).toEqual([0]);
    });
    expect(memory().tensors).toBeLessThanOrEqual(before);
  });

  it('refuses what is no function, arguments that are no tensors, and values of several elements', () => {
    expect(() => valueAndGrad(3 as never)).toThrow(/^valueAndGrad: fn must be a function, got 3/);
    const bare = valueAndGrad((x: Tensor) => exp(x)) as () => unknown;
    expect(bare).toThrow(/^valueAndGrad: needs at least one input, got none/);
    const f = valueAndGrad((x: Tensor) => x);
    expect(() => f(1 as never)).toThrow(ArgumentError);
    expect(() => f(tensor([1, 2]))).toThrow(AutogradError);
  });
});

describe('vjp', () => {
  it('pulls gradients of several outputs back, several times', () => {
    const { outputs, pullback } = vjp((x, y) => [mul(x, y), add(x, y)], tensor([1, 2]), tensor([3, 4]));
    expect(outputs.map(values)).toEqual([
      [3, 8],
      [4, 6],
    ]);
    const one = tensor([1, 1]);
    expect(pullback(one, mul(one, 0)).map(values)).toEqual([
      [3, 4],
      [1, 2],
    ]);
    expect(pullback(mul(one, 0), mul(one, 10)).map(values)).toEqual([
      [10, 10],
      [10, 10],
    ]);
  });

  it('refuses another number of gradients, and one of another shape', () => {
    const { pullback } = vjp((x) => exp(x), tensor([1, 2]));
    expect(() => pullback()).toThrow(/^vjp: needs 1 gradients, one an output, got 0/);
    expect(() => pullback(tensor([1]))).toThrow(ShapeError);
  });
});

describe('enableGrad', () => {
  it('records inside noGrad, and puts back what was, whatever happens', () => {
    const x = tensor([2], { requiresGrad: true });
    noGrad(() => {
      expect(isGradEnabled()).toBe(false);
      const y = enableGrad(() => mul(x, x));
      expect(y.requiresGrad).toBe(true);
      expect(mul(x, x).requiresGrad).toBe(false);
      expect(() =>
        enableGrad(() => {
          throw new Error('in between');
        }),
      ).toThrow('in between');
      expect(isGradEnabled()).toBe(false);
      enableGrad(() => {
        noGrad(() => {
          expect(isGradEnabled()).toBe(false);
        });
        expect(isGradEnabled()).toBe(true);
      });
      expect(() => enableGrad(() => Promise.resolve())).toThrow(/^enableGrad: fn must be synchronous/);
    });
    expect(isGradEnabled()).toBe(true);
  });
});

describe('retainGraph', () => {
  it('keeps what backward needs for another pass', () => {
    const x = tensor([3], { requiresGrad: true });
    const y = sum(mul(x, x));
    backward(y, undefined, { retainGraph: true });
    backward(y, undefined, { retainGraph: true });
    expect(values(x.grad)).toEqual([12]);
    expect(values(grad(y, [x])[0])).toEqual([6]);
    expect(() => {
      backward(y);
    }).toThrow(/retainGraph/);
    expect(() => grad(y, [x])).toThrow(AutogradError);
  });

  it('frees what was saved otherwise', () => {
    const x = tensor(new Float32Array(1000), { requiresGrad: true });
    const kept = (retainGraph: boolean): number => {
      const before = heldMemory().liveBytes;
      const y = tidy(() => sum(exp(exp(x))));
      backward(y, undefined, { retainGraph });
      const after = memory().liveBytes;
      y.dispose();
      return after - before;
    };
    kept(false);
    expect(kept(true) - kept(false)).toBeGreaterThanOrEqual(2 * 4000);
  });
});

describe('grad as a property', () => {
  it('takes a gradient of the shape and dtype of the tensor, and takes it away', () => {
    const x = tensor([1, 2], { requiresGrad: true });
    const g = tensor([3, 4]);
    x.grad = g;
    expect(x.grad).toBe(g);
    backward(sum(mul(x, x)));
    expect(values(x.grad)).toEqual([5, 8]);
    x.grad = undefined;
    expect(x.grad).toBeUndefined();
    x.dispose();
    x.grad = undefined;
  });

  it('refuses anything else and keeps what it had', () => {
    const x = tensor([1, 2], { requiresGrad: true });
    const g = tensor([3, 4]);
    x.grad = g;
    const set = (value: unknown) => () => {
      x.grad = value as Tensor;
    };
    expect(set(tensor([1]))).toThrow(ShapeError);
    expect(set(tensor([1]))).toThrow(/^grad: .* shape \[2\], got \[1\]/);
    expect(set(tensor([[1, 2]]))).toThrow(ShapeError);
    expect(set(tensor([1, 2], { dtype: 'float64' }))).toThrow(DTypeError);
    expect(set(tensor([1, 2], { dtype: 'float64' }))).toThrow(/^grad: .*float32, got float64/);
    expect(set([1, 2])).toThrow(ArgumentError);
    expect(set(0)).toThrow(ArgumentError);
    expect(set(x)).toThrow(ArgumentError);
    const gone = tensor([1, 2]);
    gone.dispose();
    expect(set(gone)).toThrow(DisposedError);
    expect(x.grad).toBe(g);
  });
});
