import { describe, expect, it } from '@jest/globals';
import {
  ArgumentError,
  backward,
  copy_,
  DTypeError,
  FormatError,
  full,
  mul,
  narrow,
  noGrad,
  OutOfMemoryError,
  ShapeError,
  sum,
  type Tensor,
  tensor,
  zeros,
} from '../../ts/index';
import { memory, setMemoryLimit } from '../../ts/native/runtime';
import { adamAtan2_, ema_ } from '../../ts/ops/optimizers';
import { AdamATan2, type AdamOptions } from '../../ts/optim/adam_atan2';
import { Ema } from '../../ts/optim/ema';
import { SparseSignSGD } from '../../ts/optim/sign_sgd';
import { FLOAT32_PLACES, OPTIMIZER_BOUND } from '../support/tolerance';

const yes = tensor(true);
const no = tensor(false);
const lr = tensor(0.1);
const values = (t: Tensor): number[] => Array.from(t.dataSync());
const leaf = (data: number[]): Tensor => tensor(data, { requiresGrad: true });

/** Gradient 2 p of sum(p^2). */
function descend(p: Tensor): void {
  backward(sum(mul(p, p)));
}

/** Two parameters that are updated in groups of their own, q with these copies. */
function twoRates(copiesOf: (q: Tensor) => NonNullable<AdamOptions['copies']> = () => new Map()) {
  const [p, q] = [leaf([1]), leaf([1])];
  const named: [string, Tensor][] = [
    ['p', p],
    ['q', q],
  ];
  const optimizer = new AdamATan2(named, { copies: copiesOf(q), lrRatios: new Map([['q', 0.5]]) });
  return { p, q, optimizer };
}

describe('AdamATan2', () => {
  it('makes the updates of HRM section 4', () => {
    const start = [1, -2, 0.5, 3];
    const p = leaf(start);
    const [beta1, beta2, weightDecay, rate] = [0.8, 0.9, 0.25, Math.fround(0.1)];
    const optimizer = new AdamATan2([['p', p]], { beta1, beta2, weightDecay });
    const expected = start.map((x) => ({ x, m: 0, v: 0 }));
    for (let t = 1; t <= 20; t++) {
      descend(p);
      optimizer.step(lr, yes);
      p.grad = undefined;
      for (const s of expected) {
        const g = 2 * s.x;
        s.m = beta1 * s.m + (1 - beta1) * g;
        s.v = beta2 * s.v + (1 - beta2) * g * g;
        const angle = Math.atan2(s.m, Math.sqrt(s.v) / Math.sqrt(1 - beta2 ** t));
        s.x = s.x * (1 - rate * weightDecay) - (rate / (1 - beta1 ** t)) * angle;
      }
      values(p).forEach((x, i) => {
        expect(Math.abs(x - expected[i]!.x)).toBeLessThan(OPTIMIZER_BOUND);
      });
    }
  });

  it('makes the same update parameter by parameter', () => {
    const run = (inBackward: boolean): (number[] | undefined)[] => {
      const { p, q, optimizer } = twoRates();
      for (const finite of [yes, no, yes]) {
        if (inBackward) {
          optimizer.begin(finite);
          for (const each of [q, p]) {
            descend(each);
            optimizer.update(each, lr, finite);
          }
        } else {
          descend(p);
          descend(q);
          optimizer.step(lr, finite);
        }
        p.grad = q.grad = undefined;
      }
      return [...[p, q], ...optimizer.stateDict().values()].map(values);
    };
    expect(run(true)).toEqual(run(false));
  });

  it('refuses a share of an update that it cannot make, and changes nothing', () => {
    const { p, q, optimizer } = twoRates();
    descend(p);
    const before = [p, q, ...optimizer.stateDict().values()].map(values);
    expect(() => {
      optimizer.update(p, lr, yes);
    }).toThrow(/update: p must be updated once after each begin, got no begin/);
    optimizer.begin(no);
    expect(() => {
      optimizer.update(q, lr, yes);
    }).toThrow(ArgumentError);
    expect(() => {
      optimizer.update(leaf([1]), lr, yes);
    }).toThrow(ArgumentError);
    expect(() => {
      optimizer.update(p, tensor([1, 2]), yes);
    }).toThrow(ShapeError);
    expect(() => {
      optimizer.update(p, lr, lr);
    }).toThrow(DTypeError);
    expect(() => {
      optimizer.begin(lr);
    }).toThrow(DTypeError);
    expect([p, q, ...optimizer.stateDict().values()].map(values)).toEqual(before);
    optimizer.begin(yes);
    optimizer.update(p, lr, yes);
    const after = values(p);
    expect(after).not.toEqual(before[0]);
    expect(() => {
      optimizer.update(p, lr, yes);
    }).toThrow(/got a second update/);
    expect(values(p)).toEqual(after);
    optimizer.begin(yes);
    p.grad!.dispose();
    expect(() => {
      optimizer.update(p, lr, yes);
    }).toThrow(/the gradient of p has been disposed/);
    optimizer.dispose();
    expect(() => {
      optimizer.begin(yes);
    }).toThrow(/this optimizer has been disposed/);
  });

  it('changes nothing in an update that does not count, and ends one with a step', () => {
    const { p, q, optimizer } = twoRates();
    descend(p);
    descend(q);
    const state = (): number[][] => [p, q, ...optimizer.stateDict().values()].map((t) => values(t));
    const before = state();
    optimizer.begin(no);
    optimizer.update(p, lr, yes);
    expect(state()).toEqual(before);
    optimizer.step(lr, yes);
    expect(() => {
      optimizer.update(q, lr, yes);
    }).toThrow(/got no begin/);
    optimizer.begin(yes);
    optimizer.loadStateDict(optimizer.stateDict());
    expect(() => {
      optimizer.update(q, lr, yes);
    }).toThrow(/got no begin/);
    expect(state().flat().every(Number.isFinite)).toBe(true);
  });

  it('counts no update that has no memory', () => {
    const { p, q, optimizer } = twoRates();
    descend(p);
    descend(q);
    const state = (): number[][] => [p, q, ...optimizer.stateDict().values()].map((t) => values(t));
    const before = state();
    const { limitBytes } = memory();
    for (const make of [() => optimizer.begin(yes), () => optimizer.step(lr, yes)]) {
      // 64 bytes a scalar: one fits, then two, and so on until all do.
      let refused = 0;
      for (let room = -192; ; room += 64) {
        // What nobody holds is collected for the first few, which have no room at all.
        setMemoryLimit(refused < 4 ? 1 : memory().liveBytes + room);
        try {
          make();
          break;
        } catch (error) {
          expect(error).toBeInstanceOf(OutOfMemoryError);
          ++refused;
        } finally {
          setMemoryLimit(limitBytes);
        }
        expect(state()).toEqual(before);
      }
      expect(refused).toBeGreaterThan(0);
      optimizer.loadStateDict(
        new Map([...optimizer.stateDict()].map(([name, t]) => [name, zeros(t.shape, { dtype: t.dtype })])),
      );
    }
  });

  it('defaults to the betas 0.9 and 0.95, without decay', () => {
    const update = (options: AdamOptions): number[] => {
      const p = leaf([1, -2]);
      const optimizer = new AdamATan2([['p', p]], options);
      for (let i = 0; i < 3; i++) {
        descend(p);
        optimizer.step(lr, yes);
        p.grad = undefined;
      }
      return values(p);
    };
    expect(update({})).toEqual(update({ beta1: 0.9, beta2: 0.95, weightDecay: 0 }));
    expect(update({})).not.toEqual(update({ beta1: 0.9, beta2: 0.96, weightDecay: 0 }));
  });

  // In vectors of 16, 8 and 4 and in what is left of them.
  it.each(['float32', 'float64'] as const)('passes NaN on and takes atan2 of infinities, in %s', (dtype) => {
    for (const n of [1, 5, 40]) {
      for (const [gradient, angle] of [
        [NaN, NaN],
        [Infinity, Math.PI / 4],
        [-Infinity, -Math.PI / 4],
        [0, 0],
      ] as const) {
        const p = full([n], 3, { dtype, requiresGrad: true });
        const q = full([n], 3, { dtype, requiresGrad: true });
        const optimizer = new AdamATan2([
          ['p', p],
          ['q', q],
        ]);
        p.grad = full([n], gradient, { dtype });
        q.grad = full([n], 1, { dtype });
        optimizer.step(lr, yes);
        for (const x of values(p))
          if (Number.isNaN(angle)) expect(x).toBeNaN();
          else expect(Math.abs(x - (3 - angle))).toBeLessThan(OPTIMIZER_BOUND);
        for (const x of values(q)) expect(x).toBeLessThan(3);
      }
    }
  });

  it('keeps NaN of a moment whose other is 0', () => {
    const p = leaf([1]);
    const optimizer = new AdamATan2([['p', p]]);
    optimizer.loadStateDict(
      new Map([
        ['step', tensor(1, { dtype: 'int32' })],
        ['m.p', tensor([NaN])],
        ['v.p', tensor([0])],
      ]),
    );
    p.grad = tensor([0]);
    optimizer.step(lr, yes);
    expect(values(p)).toEqual([NaN]);
  });

  it('moves those with a ratio at a rate of their own', () => {
    const [p, q, alone] = [leaf([1, -2]), leaf([1, -2]), leaf([1, -2])];
    const options = { weightDecay: 0.1 };
    const both: [string, Tensor][] = [
      ['p', p],
      ['q', q],
    ];
    const optimizer = new AdamATan2(both, { ...options, lrRatios: new Map([['q', 0.25]]) });
    const slow = new AdamATan2([['alone', alone]], options);
    for (let i = 0; i < 3; i++) {
      for (const parameter of [p, q, alone]) descend(parameter);
      optimizer.step(lr, yes);
      slow.step(mul(lr, 0.25), yes);
    }
    expect(values(q)).toEqual(values(alone));
    expect(values(p)).not.toEqual(values(q));
  });

  it('leaves parameters without gradient alone, decay included', () => {
    const [p, q] = [leaf([1]), leaf([3])];
    const optimizer = new AdamATan2(
      [
        ['p', p],
        ['q', q],
      ],
      { weightDecay: 1 },
    );
    descend(p);
    optimizer.step(lr, yes);
    expect(values(q)).toEqual([3]);
    expect(values(p)).not.toEqual([1]);
  });

  it('changes nothing, the number of updates included, where a value is not finite', () => {
    const p = leaf([1, 2]);
    const optimizer = new AdamATan2([['p', p]]);
    descend(p);
    const before = [...optimizer.stateDict()].map(([name, t]) => [name, values(t)]);
    optimizer.step(lr, no);
    expect(values(p)).toEqual([1, 2]);
    expect([...optimizer.stateDict()].map(([name, t]) => [name, values(t)])).toEqual(before);
  });

  it('goes on from saved state as if it had not stopped', () => {
    const run = (steps: number, resumeAt: number): number[] => {
      let p = leaf([1, -2]);
      let optimizer = new AdamATan2([['p', p]], { weightDecay: 0.1 });
      for (let i = 0; i < steps; i++) {
        if (i === resumeAt) {
          const next = leaf(values(p));
          const fresh = new AdamATan2([['p', next]], { weightDecay: 0.1 });
          fresh.loadStateDict(optimizer.stateDict());
          [p, optimizer] = [next, fresh];
        }
        descend(p);
        optimizer.step(lr, yes);
        p.grad = undefined;
      }
      return values(p);
    };
    expect(run(6, 3)).toEqual(run(6, -1));
  });

  it('allocates nothing that stays', () => {
    const p = leaf([1, -2]);
    const optimizer = new AdamATan2([['p', p]]);
    descend(p);
    optimizer.step(lr, yes);
    const { tensors } = memory();
    optimizer.step(lr, yes);
    // Not equality: garbage of earlier tests may be collected in between.
    expect(memory().tensors).toBeLessThanOrEqual(tensors);
    optimizer.dispose();
    expect(memory().tensors).toBeLessThanOrEqual(tensors - 3);
  });

  it.each([
    [() => new AdamATan2([]), /AdamATan2: there must be at least one parameter/],
    [() => new AdamATan2([['p', leaf([1])]], { weightDecay: -1 }), /weightDecay must be finite and at least 0, got -1/],
    [() => new AdamATan2([['p', leaf([1])]], { weightDecay: Infinity }), /weightDecay .* got Infinity/],
    [() => new AdamATan2([['p', leaf([1])]], { weightDecay: NaN }), /weightDecay .* got NaN/],
    [
      () => new AdamATan2([['p', leaf([1])]], { lrRatios: new Map([['p', -1]]) }),
      /lrRatios: p must be finite .* got -1/,
    ],
    [
      () => new AdamATan2([['p', leaf([1])]], { lrRatios: new Map([['q', 1]]) }),
      /lrRatios must name parameters .* "q"/,
    ],
    [() => new AdamATan2([['p', leaf([1])]], { lrRatios: { p: 1 } as never }), /lrRatios must be a Map/],
    [
      () =>
        new AdamATan2([
          ['p', leaf([1])],
          ['p', leaf([1])],
        ]),
      /parameters must have distinct names, got "p" twice/,
    ],
    [
      () => new AdamATan2([['p', leaf([1])]], { lrRatios: new Map([['p', 1e300]]) }),
      /lrRatios: p must be finite .* got 1e\+300/,
    ],
    [
      () => new AdamATan2([['p', leaf([1])]], { lrRatios: new Map([['p', null as never]]) }),
      /lrRatios: p must be finite .* got null/,
    ],
    [() => new AdamATan2([['p', leaf([1])]], { beta1: 1 }), /AdamATan2: beta1 must be in \[0, 1\), got 1/],
    [() => new AdamATan2([['p', leaf([1])]], { beta1: -0.1 }), /beta1 must be in \[0, 1\), got -0.1/],
    [() => new AdamATan2([['p', leaf([1])]], { beta2: NaN }), /beta2 must be in \[0, 1\), got NaN/],
    [() => new AdamATan2([['p', leaf([1])]], { beta2: '0.9' as unknown as number }), /beta2 .* got "0.9"/],
  ])('refuses %s', (make, message) => {
    expect(make).toThrow(message);
    expect(make).toThrow(ArgumentError);
  });

  it.each<[string, (q: Tensor, state: ReadonlyMap<string, Tensor>) => Tensor, RegExp]>([
    ['a parameter', (q) => q, /step: q has been disposed/],
    ['a gradient', (q) => q.grad!, /the gradient of q has been disposed/],
    ['a moment', (_q, state) => state.get('v.q')!, /v\.q has been disposed/],
    ['the optimizer', (_q, state) => state.get('step')!, /this optimizer has been disposed/],
  ])('changes nothing when %s has been disposed', (_what, find, message) => {
    const { p, q, optimizer } = twoRates();
    descend(p);
    descend(q);
    const state = optimizer.stateDict();
    find(q, state).dispose();
    expect(() => optimizer.step(lr, yes)).toThrow(message);
    expect(values(p)).toEqual([1]);
    if (!state.get('step')!.isDisposed) expect(state.get('step')!.item()).toBe(0);
  });

  it.each<[string, Tensor, Tensor, RegExp]>([
    ['a rate of integers', tensor(1, { dtype: 'int32' }), yes, /lr must be float32 or float64, got int32/],
    ['several rates', tensor([0.1, 0.2]), yes, /lr must have one element, got shape \[2\]/],
    ['a number for finite', lr, tensor(1), /finite must be bool, got float32/],
  ])('changes nothing when it refuses %s', (_what, rate, finite, message) => {
    const { p, q, optimizer } = twoRates();
    const state = (): number[] => [p, q, ...optimizer.stateDict().values()].flatMap(values);
    const before = state();
    expect(() => optimizer.step(rate, finite)).toThrow(message);
    descend(p);
    descend(q);
    expect(() => optimizer.step(rate, finite)).toThrow(message);
    expect(state()).toEqual(before);
  });

  it('changes nothing when a copy is none', () => {
    const { p, q, optimizer } = twoRates((parameter) => new Map([[parameter, {} as never]]));
    const state = (): number[] => [p, q, ...optimizer.stateDict().values()].flatMap(values);
    const before = state();
    descend(p);
    descend(q);
    expect(() => optimizer.step(lr, yes)).toThrow(/copies must be those of a model/);
    expect(state()).toEqual(before);
  });

  it('refuses the state of other parameters and keeps its own', () => {
    const optimizer = new AdamATan2([['p', leaf([1])]]);
    const other = new AdamATan2([['q', leaf([1])]]);
    expect(() => optimizer.loadStateDict(other.stateDict())).toThrow(FormatError);
    const larger = new AdamATan2([['p', leaf([1, 2])]]);
    expect(() => optimizer.loadStateDict(larger.stateDict())).toThrow(/m\.p must have shape \[1\], got \[2\]/);
  });
});

describe('SparseSignSGD', () => {
  it('moves only the rows in use, each once', () => {
    const weights = tensor([[1], [1], [1]]);
    const optimizer = new SparseSignSGD(weights, { weightDecay: 0.5 });
    optimizer.step(tensor(Int32Array.of(2, 0, 2)), tensor([[3], [0], [-1]]), lr, yes);
    const [a, b, c] = values(weights);
    expect(a).toBeCloseTo(0.95, FLOAT32_PLACES);
    expect(b).toBe(1);
    expect(c).toBeCloseTo(0.95 - 0.1, FLOAT32_PLACES);
  });
});

describe('Ema', () => {
  it('averages, swaps in and puts back', async () => {
    const p = leaf([1]);
    const ema = new Ema([['p', p]], { decay: 0.5 });
    noGrad(() => copy_(p, tensor([3])));
    ema.update(yes);
    ema.update(no);
    expect(values(ema.stateDict().get('p')!)).toEqual([2]);
    const { tensors } = memory();
    await expect(
      ema.swapped(() => {
        expect(values(p)).toEqual([2]);
        return Promise.reject(new Error('in between'));
      }),
    ).rejects.toThrow('in between');
    expect(values(p)).toEqual([3]);
    // Not equality: garbage of earlier tests may be collected in between.
    expect(memory().tensors).toBeLessThanOrEqual(tensors);
    ema.apply();
    expect(values(p)).toEqual([2]);
  });

  it('refuses a decay out of range', () => {
    expect(() => new Ema([['p', zeros([1])]], { decay: 2 })).toThrow(/decay must be in \[0, 1\], got 2/);
  });
});

describe('updates of tensors that share memory', () => {
  const scalars = () => ({ step: tensor(1, { dtype: 'int32' }), lr, finite: yes });
  const betas = { beta1: 0.9, beta2: 0.95, weightDecay: 0 };

  it('read what was there before the update', () => {
    const apart = (): Tensor[] => [tensor([1, 2, 3]), tensor([0, 0, 0]), tensor([0, 0, 0])];
    const [p, m, v] = apart() as [Tensor, Tensor, Tensor];
    adamAtan2_({ parameters: [p], m: [m], v: [v], gradients: [tensor([1, 2, 3])] }, scalars(), betas);
    const [q, n, w] = apart() as [Tensor, Tensor, Tensor];
    adamAtan2_({ parameters: [q], m: [n], v: [w], gradients: [q] }, scalars(), betas);
    expect([q, n, w].map(values)).toEqual([p, m, v].map(values));
    // The average of a tensor with its neighbour.
    const t = tensor([8, 4, 2, 1]);
    ema_([narrow(t, 0, 1, 3)], [narrow(t, 0, 0, 3)], yes, { decay: 0.5 });
    expect(values(t)).toEqual([8, 6, 3, 1.5]);
  });

  it('are refused where two results would be one in memory, and accepted side by side', () => {
    const whole = zeros([6]);
    const run = (m: Tensor, v: Tensor) => () => {
      adamAtan2_({ parameters: [zeros([3])], m: [m], v: [v], gradients: [zeros([3])] }, scalars(), betas);
    };
    const both = zeros([3]);
    expect(run(both, both)).toThrow(ArgumentError);
    const part = (start: number): Tensor => narrow(whole, 0, start, 3);
    expect(run(part(0), part(2))).toThrow(ArgumentError);
    expect(run(part(0), part(2))).toThrow(/^AdamATan2.step: .*share memory/);
    run(part(0), part(3))();
  });
});
