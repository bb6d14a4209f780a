/** The tensor engine: ops as functions and as methods, autograd, scopes, settings. */
import * as api from '../../ts';
import { bounded, call, construct, method, none, type Subject, type Subjects } from './subject';
import {
  about,
  anyTensor,
  type Arb,
  asyncCallback,
  build,
  callback,
  dtypes,
  either,
  int,
  list,
  made,
  maybe,
  object,
  shapes,
  value,
} from './values';

const operand: Arb = either(anyTensor, anyTensor, value(0, 2, -1.5, 1e10));
const dim: Arb = int(-2, 2);
const dims: Arb = either(maybe(dim), list(dim, 0, 3));
const keepdim: Arb = maybe(object({}, { keepdim: value(true, false) }));
const ids = (shape: readonly number[]): Arb => about(shape, 'int32', 2);
const reduction: Arb = value('none', 'sum', 'mean', undefined);
const generator: Arb = value(undefined, undefined).map((make) => () => make() ?? new api.Generator(3));
const creation: Arb = maybe(object({}, { dtype: dtypes, device: value('cpu'), requiresGrad: value(true, false) }));
const random: Arb = maybe(object({}, { dtype: value('float32', 'float64', 'bfloat16'), generator }));
const normal: Arb = maybe(object({}, { mean: value(0, 1), std: value(1, 0), dtype: value('float32'), generator }));
const nestedData: Arb = either(
  value(
    1,
    true,
    [1, 2, 3],
    [
      [1, 2],
      [3, 4],
    ],
    [],
    [[]],
    [true, false],
  ),
  value(0).map(() => () => new Float32Array([1, 2, 3, 4, 5, 6])),
  value(0).map(() => () => new Uint16Array(4)),
  value(0).map(() => () => new Int32Array(6)),
);

const unary = [
  'abs',
  'cos',
  'exp',
  'floor',
  'gelu',
  'log',
  'neg',
  'reciprocal',
  'relu',
  'rsqrt',
  'sigmoid',
  'sign',
  'silu',
];
const moreUnary = [
  'round',
  'sin',
  'sqrt',
  'square',
  'tanh',
  'isFinite',
  'logicalNot',
  'clone',
  'contiguous',
  'detach',
  'swiglu',
];
const inPlaceUnary = ['exp_', 'neg_', 'sqrt_', 'zero_'];
const binary = ['add', 'sub', 'mul', 'div', 'pow', 'maximum', 'minimum', 'eq', 'ne', 'lt', 'le', 'gt', 'ge'];
const moreBinary = ['logicalAnd', 'logicalOr', 'logicalXor', 'add_', 'sub_', 'mul_', 'div_', 'pow_', 'copy_'];
const reductions = ['sum', 'mean', 'max', 'min', 'any', 'all', 'logsumexp'];
const spread = object({}, { keepdim: value(true, false), correction: value(0, 1) });

/** Arguments of the ops that are functions and methods alike, the tensor first. */
function opArguments(): Record<string, readonly Arb[]> {
  const table: Record<string, readonly Arb[]> = {};
  for (const name of [...unary, ...moreUnary, ...inPlaceUnary]) table[name] = [anyTensor];
  for (const name of [...binary, ...moreBinary]) table[name] = [anyTensor, operand];
  for (const name of reductions) table[name] = [anyTensor, dims, keepdim];
  return {
    ...table,
    gelu: [anyTensor, maybe(object({}, { approximate: value('none', 'tanh') }))],
    argmax: [anyTensor, maybe(dim), keepdim],
    argmin: [anyTensor, maybe(dim), keepdim],
    variance: [anyTensor, dims, maybe(spread)],
    std: [anyTensor, dims, maybe(spread)],
    softmax: [anyTensor, dim],
    logSoftmax: [anyTensor, dim],
    clamp: [anyTensor, object({}, { min: value(-1, 0.5), max: value(1, 2) })],
    clamp_: [anyTensor, object({}, { min: value(-1, 0.5), max: value(1, 2) })],
    fill_: [anyTensor, value(0, 1, -2.5)],
    broadcastTo: [anyTensor, either(shapes, value([2, 2, 3]))],
    expand: [anyTensor, either(shapes, value([2, 2, 3], [-1, 3]))],
    flatten: [anyTensor, maybe(dim), maybe(dim)],
    permute: [anyTensor, either(value([1, 0]), list(dim, 0, 3))],
    reshape: [anyTensor, either(shapes, value([3, 2], [-1, 3], [6]))],
    squeeze: [anyTensor, dims],
    transpose: [anyTensor, dim, dim],
    unsqueeze: [anyTensor, dim],
    narrow: [anyTensor, dim, int(-2, 2), int(0, 2)],
    select: [anyTensor, dim, int(-2, 2)],
    slice: [anyTensor, list(either(int(-2, 2), value(null, [0, 1], [null, 2], [0, 3, 2], [-1])), 0, 2)],
    gather: [anyTensor, dim, ids([2, 3])],
    indexSelect: [anyTensor, dim, ids([2])],
    scatterAdd: [about([2, 3]), dim, ids([2, 3]), about([2, 3])],
    pad: [anyTensor, list(value([0, 1], [1, 0], [2, 2]), 0, 2), maybe(value(0, 7))],
    split: [anyTensor, either(int(1, 3), value([1, 1], [1, 2])), maybe(dim)],
    unbind: [anyTensor, maybe(dim)],
    matmul: [about([2, 3]), about([3, 4])],
    backward: [
      about([]).map((make) => () => {
        const x = make() as api.Tensor;
        return x.requiresGrad ? made(x.mul(2).sum()) : x;
      }),
      maybe(about([])),
      maybe(object({}, { retainGraph: value(true, false), onGradient: callback })),
    ],
  };
}

const settings: Subjects = {
  memory: call(api.memory, none),
  resetPeakMemory: call(api.resetPeakMemory, none),
  synchronize: call(api.synchronize, maybe(value('cpu', 'cuda', 'simt'))),
  trimMemory: call(api.trimMemory, none),
  setMemoryLimit: call(api.setMemoryLimit, int(0, 2 ** 30)),
  setNumThreads: call(api.setNumThreads, int(1, 4)),
  getNumThreads: call(api.getNumThreads, none),
  setLeakMode: call(api.setLeakMode, value(true, false)),
  liveTensors: call(api.liveTensors, none),
  fallbackCounts: call(api.fallbackCounts, none),
  resetFallbackCounts: call(api.resetFallbackCounts, none),
  demandFused: call(api.demandFused, callback),
};

const createdTensors: Subjects = {
  tensor: call(
    api.tensor,
    nestedData,
    maybe(object({}, { dtype: dtypes, shape: value([2, 3], [3]), device: value('cpu') })),
  ),
  full: call(api.full, shapes, value(0, 1.5, true), creation),
  zeros: call(api.zeros, shapes, creation),
  ones: call(api.ones, shapes, creation),
  arange: call(api.arange, int(0, 5), maybe(int(5, 9)), maybe(value(1, 2, -1)), creation),
  eye: call(api.eye, int(0, 4), maybe(int(0, 4)), creation),
  linspace: call(api.linspace, int(0, 2), int(3, 5), int(0, 5), creation),
  fullLike: call(api.fullLike, anyTensor, value(1, 2.5, true), creation),
  onesLike: call(api.onesLike, anyTensor, creation),
  zerosLike: call(api.zerosLike, anyTensor, creation),
  oneHot: call(api.oneHot, ids([2, 3]), int(1, 4), creation),
  rand: call(api.rand, shapes, random),
  randn: call(api.randn, shapes, normal),
  truncNormal: call(api.truncNormal, shapes, normal),
  randint: call(api.randint, int(-3, 0), int(1, 4), shapes, maybe(object({}, { generator }))),
  randperm: call(api.randperm, int(0, 9), maybe(object({}, { generator }))),
  manualSeed: call(api.manualSeed, int(0, 9)),
  getDefaultGenerator: call(api.getDefaultGenerator, none),
  Generator: construct(api.Generator, either(int(0, 9), value(5n))),
  'Generator.seed': method(() => new api.Generator(1), 'seed', either(int(0, 9), value(5n))),
  'Generator.save': method(() => new api.Generator(1), 'save', none),
  'Generator.load': method(() => new api.Generator(1), 'load', object({ seed: value([1, 0]), counter: value([2, 0]) })),
  'Generator.dispose': method(() => new api.Generator(1), 'dispose', none),
};

const blockWeights: Arb = object({
  qkv: about([24, 8]),
  o: about([8, 8]),
  gateUp: about([12, 8]),
  down: about([8, 6]),
});
const mlpWeights: Arb = object({
  tGateUp: about([8, 3]),
  tDown: about([3, 4]),
  gateUp: about([12, 8]),
  down: about([8, 6]),
});
const blocks: Arb = list(either(blockWeights, blockWeights, blockWeights, mlpWeights), 1, 2);
const rope: Arb = maybe(object({ cos: about([3, 4]), sin: about([3, 4]) }));
const blockOptions: Arb = object({ nHeads: value(2, 2, 1), eps: value(1e-5) }, { rope });
const loopOptions: Arb = object(
  { nHeads: value(2), eps: value(1e-5), hCycles: int(1, 2), lCycles: int(1, 2), gradSteps: int(0, 1) },
  { rope },
);
const state: Arb = about([2, 3, 8]);

const products: Subjects = {
  concat: call(api.concat, list(anyTensor, 1, 3), maybe(dim)),
  stack: call(api.stack, list(anyTensor, 1, 3), maybe(dim)),
  embedding: call(api.embedding, about([2, 3]), ids([2, 3])),
  linear: call(api.linear, about([2, 3]), about([4, 3]), maybe(about([4]))),
  rmsNorm: call(api.rmsNorm, anyTensor, maybe(object({}, { eps: value(1e-5, 1) }))),
  rope: call(api.rope, about([2, 3, 2, 4]), about([3, 4]), about([3, 4])),
  ropeTables: call(
    api.ropeTables,
    int(0, 4),
    value(0, 2, 4),
    maybe(object({}, { theta: value(10000), dtype: dtypes })),
  ),
  attention: call(
    api.attention,
    ...[about([2, 3, 2, 4]), about([2, 3, 2, 4]), about([2, 3, 2, 4])],
    maybe(object({}, { causal: value(true, false), scale: value(1, 0.5) })),
  ),
  where: call(api.where, about([2, 3], 'bool'), operand, operand),
  cast: call(api.cast, anyTensor, dtypes),
  crossEntropy: call(
    api.crossEntropy,
    about([2, 3]),
    ids([2]),
    maybe(object({}, { kind: value('softmax', 'stablemax'), ignoreIndex: value(-100, 1), reduction })),
  ),
  logStablemax: call(api.logStablemax, anyTensor),
  bceWithLogits: call(api.bceWithLogits, about([2, 3]), about([2, 3]), maybe(object({}, { reduction }))),
  level: bounded(call(api.level, state, list(state, 1, 2), blocks, blockOptions)),
  composedLevel: bounded(call(api.composedLevel, state, list(state, 1, 2), blocks, blockOptions)),
  lLoop: bounded(call(api.lLoop, state, state, state, blocks, blocks, loopOptions)),
  composedLLoop: bounded(call(api.composedLLoop, state, state, state, blocks, blocks, loopOptions)),
};

const leaf: Arb = value(0).map(() => () => {
  const x = build([2, 3], 'float32');
  x.requiresGrad = true;
  return x;
});
const fnOfTensor: Arb = either(
  value(0).map(() => () => (x: api.Tensor) => made(x.mul(x).sum())),
  leaf.map((make) => () => {
    const captured = make() as api.Tensor;
    return (x: api.Tensor) => made(x.mul(captured).sum());
  }),
  callback,
);

const autograd: Subjects = {
  tidy: call(api.tidy, callback),
  tidyAsync: call(api.tidyAsync, asyncCallback),
  keep: call(api.keep, anyTensor),
  capture: call(
    (fn: () => unknown, options: api.CaptureOptions) => {
      const step = api.capture(fn, options);
      try {
        step();
        step();
      } finally {
        step.dispose();
      }
    },
    callback,
    maybe(object({}, { device: value('cpu') })),
  ),
  withoutHostReads: call(api.withoutHostReads, callback),
  noGrad: call(api.noGrad, callback),
  enableGrad: call(api.enableGrad, callback),
  isGradEnabled: call(api.isGradEnabled, none),
  grad: call(
    (output: api.Tensor, inputs: unknown, seed: unknown, options: unknown) =>
      api.grad(output, inputs as api.Tensor[], seed as api.Tensor, options as object),
    about([]),
    list(leaf, 0, 2),
    maybe(about([])),
    maybe(object({}, { retainGraph: value(true, false) })),
  ),
  valueAndGrad: {
    args: [fnOfTensor, leaf],
    call: (fn, ...inputs) => api.valueAndGrad(fn as (x: api.Tensor) => api.Tensor)(...(inputs as [api.Tensor])).grads,
  },
  remat: {
    args: [fnOfTensor, leaf],
    call: (fn, ...inputs) => {
      const y = made(api.remat(fn as () => api.Tensor, ...(inputs as api.Tensor[])));
      if (y.requiresGrad) api.backward(y);
    },
  },
  vjp: {
    args: [fnOfTensor, leaf, maybe(about([]))],
    call: (fn, x, dy) => {
      const { outputs, pullback } = api.vjp(fn as (x: api.Tensor) => api.Tensor, x as api.Tensor);
      for (const output of outputs) made(output);
      return pullback(...([dy ?? made(api.tensor(1))] as api.Tensor[]));
    },
  },
};

/** Functions under the names that methods have. */
const functionOf = (name: string): unknown => (api as Record<string, unknown>)[name];

/** The receiver is a tensor; the arguments are the function's after the first. */
function methodOfTensor(name: string, [receiver, ...args]: readonly Arb[]): Subject {
  return {
    args: [receiver!, ...args],
    call: (self, ...values) => {
      const x = api.Tensor.isTensor(self) ? self : build([2, 3], 'float32');
      return (x as unknown as Record<string, (...values: unknown[]) => unknown>)[name]!(...values);
    },
  };
}

function access(name: string): Subject {
  return {
    args: [anyTensor],
    call: (self) => (self as Record<string, unknown> | null | undefined)?.[name] && undefined,
  };
}

const tensorMembers: Subjects = {
  Tensor: construct(api.Tensor, none, none),
  'Tensor.isTensor': call((item: unknown) => api.Tensor.isTensor(item), anyTensor),
  'Tensor.forgetDerived': method(() => api.zeros([2, 3]), 'forgetDerived', none),
  'Tensor.adopt': method(() => api.zeros([2, 3]), 'adopt', about([2, 3])),
  // Its other arguments are ours: names for the error.
  'Tensor.handleOf': call((item: unknown) => api.Tensor.handleOf(item, 'op', 'x'), anyTensor),
  'Tensor.requiresGrad': {
    args: [anyTensor, value(true, false)],
    call: (self, flag) => {
      const x = api.Tensor.isTensor(self) ? self : build([2, 3], 'float32');
      x.requiresGrad = flag as boolean;
      return x.requiresGrad && undefined;
    },
  },
  'Tensor.to': methodOfTensor('to', [anyTensor, either(dtypes, object({}, { dtype: dtypes, device: value('cpu') }))]),
};

export function tensorSubjects(): Subjects {
  const methods: Record<string, Subject> = {};
  const functions: Record<string, Subject> = {};
  const table = opArguments();
  for (const [name, args] of Object.entries(table)) {
    functions[name] = call(functionOf(name), ...args);
    if (name in api.Tensor.prototype) methods[`Tensor.${name}`] = methodOfTensor(name, args);
  }
  // `var` is no name that a function may have.
  methods['Tensor.var'] = methodOfTensor('var', table['variance']!);
  for (const name of ['alias', 'data', 'dataSync', 'dispose', 'item', 'readLater', 'toString'])
    methods[`Tensor.${name}`] = methodOfTensor(name, [anyTensor, none]);
  const accessors = ['shape', 'dtype', 'device', 'strides', 'rank', 'size', 'isContiguous', 'isDisposed', 'isLeaf'];
  // `grad` is an accessor or a field.
  for (const name of ['grad', ...accessors]) methods[`Tensor.${name}`] = accessOfTensor(name);
  return { ...settings, ...createdTensors, ...products, ...autograd, ...functions, ...methods, ...tensorMembers };
}

function accessOfTensor(name: string): Subject {
  const read = access(name);
  return { ...read, call: (self) => read.call(api.Tensor.isTensor(self) ? self : undefined) };
}
