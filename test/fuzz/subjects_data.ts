/** Files of tensors, data sets, Sudokus. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as api from '../../ts';
import { archive } from '../io/pytorch_files';
import { bounded, call, construct, method, none, rare, type Subjects } from './subject';
import { about, anyTensor, type Arb, CallbackError, either, int, list, maybe, object, value } from './values';

const geometry = api.geometryOf(2, 2);
const set = api.generateSudoku({ geometry, count: 3, seed: 1, blanks: { min: 4, max: 6 } });
const dataset = api.sudokuDataset(set);
const geometryArb: Arb = value(geometry, geometry, api.geometryOf(2, 3));
const grid: Arb = value(set.puzzle(0), set.solution(1), new Uint8Array(16));
const setArb: Arb = value(set);
const blanks: Arb = value({ min: 1, max: 2 }, 'minimal');
const seed: Arb = either(int(0, 9), value(3n));
const samplerOptions: Arb = object({ batchSize: int(1, 2), seed, epochsPerInterval: int(1, 2) });
const augment: Arb = object({ augmentations: int(0, 2), seed });
const sampler = (): api.TrainSampler =>
  api.sudokuSampler(set, { augmentations: 2, seed: 1 }, { batchSize: 2, seed: 1, epochsPerInterval: 1 });
const philox = (): api.Philox => new api.Philox(1);
const transform = (): api.SudokuTransform => api.SudokuTransform.identity(geometry);
const signal: Arb = value(
  ...[new AbortController().signal, AbortSignal.abort(new CallbackError('aborted'))],
  ...[{}, { aborted: false }],
);
const rng: Arb = value(0).map(() => philox);
const csvText = `source,q,a,rating\n${[0, 1, 2]
  .map((i) => `x,${api.formatGrid(set.puzzle(i))},${api.formatGrid(set.solution(i))},0`)
  .join('\n')}\n`;

/** A file of a kind, the same with a few bytes changed or cut off, a directory, and no file at all. */
function filesOf(directory: string, name: string): Arb {
  const file = path.join(directory, name);
  const bytes = readFileSync(file);
  const damaged = int(0, bytes.length * 3).map((pick) => () => {
    const at = pick() as number;
    const copy = Buffer.from(bytes);
    const changed = at >= 2 * bytes.length ? copy.subarray(0, at % bytes.length) : copy;
    if (changed.length > 0) changed[at % changed.length]! ^= 1 << (at % 8);
    writeFileSync(path.join(directory, `damaged_${name}`), changed);
    return path.join(directory, `damaged_${name}`);
  });
  return either(value(file), damaged, value(directory, '/nonexistent/x'));
}

function fileSubjects(directory: string): Subjects {
  const tensors = new Map([
    ['a', api.tensor([[1, 2, 3]])],
    ['b', api.tensor([1, 2], { dtype: 'int32' })],
  ]);
  const at = (name: string): string => path.join(directory, name);
  api.saveNpy(at('x.npy'), tensors.get('a')!);
  api.saveNpz(at('x.npz'), tensors);
  api.saveSafetensors(at('x.safetensors'), tensors, new Map([['k', 'v']]));
  writeFileSync(at('x.pt'), archive());
  writeFileSync(at('x.csv'), csvText);
  const named: Arb = either(
    anyTensor.map((make) => () => new Map([['a', make()]])),
    object({ a: about([2, 3]), b: about([2], 'int32') }),
  );
  const target = (name: string): Arb => value(at(name), at(name), directory, '/nonexistent/x');
  const identifiers = Array.from({ length: dataset.metadata.numPuzzleIdentifiers }, (_, i) => `p${i}`);
  const written = (): string => mkdtempSync(at('set-'));
  const sets = path.join(written(), 'set');
  api.writeDataset(sets, { train: dataset, test: dataset }, identifiers);
  const origin: Arb = either(
    object({
      kind: value('generate'),
      trainPuzzles: int(1, 3),
      testPuzzles: int(1, 2),
      blanks: value({ min: 2, max: 4 }),
    }),
    object(
      { kind: value('csv'), train: value(at('x.csv')) },
      { testFraction: value(0.5), badRows: value('throw', 'skip') },
    ),
  );
  return {
    loadNpy: call(api.loadNpy, filesOf(directory, 'x.npy')),
    loadNpz: call(api.loadNpz, filesOf(directory, 'x.npz'), maybe(object({}, { maxBytes: int(1, 10_000) }))),
    loadSafetensors: call(api.loadSafetensors, filesOf(directory, 'x.safetensors')),
    readPyTorchCheckpoint: call(api.readPyTorchCheckpoint, filesOf(directory, 'x.pt')),
    saveNpy: call(api.saveNpy, target('y.npy'), anyTensor),
    saveNpz: call(api.saveNpz, target('y.npz'), named, maybe(object({}, { compress: value(true, false) }))),
    saveSafetensors: call(api.saveSafetensors, target('y.safetensors'), named, maybe(value(new Map([['k', 'v']])))),
    loadDataset: call(api.loadDataset, value(sets, sets, directory), value('train', 'test')),
    loadIdentifiers: call(api.loadIdentifiers, value(sets, directory)),
    writeDataset: call(
      api.writeDataset,
      value(0).map(() => () => path.join(written(), 'w')),
      object({ train: value(dataset) }, { test: value(dataset) }),
      value(identifiers),
    ),
    importSudokuCsv: bounded(
      call(
        api.importSudokuCsv,
        filesOf(directory, 'x.csv'),
        object(
          { geometry: value(geometry) },
          { badRows: value('throw', 'skip'), unique: value(true, false), maxRows: int(1, 2) },
        ),
      ),
    ),
    buildSudokuDataset: rare(
      call(
        api.buildSudokuDataset,
        object(
          {
            out: value(0).map(() => () => path.join(written(), 'b')),
            ...{ geometry: value(geometry), seed, augmentations: int(0, 2), origin },
          },
          { signal },
        ),
      ),
    ),
    verifyData: rare(call(api.verifyData, value(sets, at('x.csv'), directory), maybe(object({}, { signal })))),
  };
}

const random: Subjects = {
  Philox: construct(api.Philox, seed, maybe(seed), maybe(int(0, 9))),
  'Philox.seek': method(philox, 'seek', seed, maybe(int(0, 9))),
  'Philox.uint32': method(philox, 'uint32', none),
  'Philox.uniform': method(philox, 'uniform', none),
  'Philox.below': method(philox, 'below', int(1, 9)),
  'Philox.shuffle': method(
    philox,
    'shuffle',
    either(
      value(0).map(() => () => [1, 2, 3]),
      value(0).map(() => () => new Int32Array(3)),
    ),
  ),
  'Philox.permutation': bounded(method(philox, 'permutation', int(0, 9))),
  'Philox.choose': bounded(method(philox, 'choose', int(3, 9), int(0, 3))),
  'Philox.toJSON': method(philox, 'toJSON', none),
  'Philox.fromJSON': call(
    (state: unknown) => api.Philox.fromJSON(state),
    object({ seed: value('1'), stream: value('2'), position: int(0, 9) }),
  ),
  philox4x32: call(
    api.philox4x32,
    ...Array.from({ length: 6 }, () => int(0, 9)),
    value(0).map(() => () => new Uint32Array(4)),
  ),
};

const samplers: Subjects = {
  datasetSampler: bounded(call(api.datasetSampler, value(dataset), samplerOptions)),
  sudokuSampler: bounded(call(api.sudokuSampler, setArb, augment, samplerOptions)),
  sudokuDataset: bounded(call(api.sudokuDataset, setArb, maybe(augment))),
  fixedSubset: bounded(call(api.fixedSubset, int(1, 9), int(1, 9), maybe(seed))),
  testBatches: {
    args: [value(dataset), int(1, 4), maybe(value((n: number) => new Uint32Array(Math.min(n, 2))))],
    call: (...args) => [...api.testBatches(...(args as Parameters<typeof api.testBatches>))].length,
    bounded: true,
  },
  TrainSampler: bounded(
    construct(
      api.TrainSampler,
      value(dataset.metadata),
      value(0).map(() => () => sampler().sets),
      samplerOptions,
    ),
  ),
  'TrainSampler.next': method(sampler, 'next', none),
  'TrainSampler.cursor': { args: [none], call: () => sampler().cursor },
  'TrainSampler.restore': method(sampler, 'restore', value(sampler().cursor)),
};

const sudoku: Subjects = {
  geometryOf: call(api.geometryOf, int(1, 4), int(1, 4)),
  geometryOfSize: call(api.geometryOfSize, int(1, 12)),
  blanksOf: call(api.blanksOf, grid),
  enumerateSolutions: bounded(call(api.enumerateSolutions, geometryArb, int(1, 300))),
  generateSudoku: bounded(
    call(
      api.generateSudoku,
      object({ geometry: value(geometry), count: int(0, 2), seed, blanks }, { part: int(0, 3) }),
    ),
  ),
  generateSplits: bounded(
    call(
      api.generateSplits,
      object({
        ...{ geometry: value(geometry), seed, blanks: value({ min: 4, max: 4 }) },
        ...{ trainPuzzles: int(1, 2), validPuzzles: int(1, 2), testPuzzles: int(1, 2) },
      }),
    ),
  ),
  checkAnswer: call(api.checkAnswer, grid, grid, geometryArb),
  describeViolation: call(
    api.describeViolation,
    value(...api.findConflicts(new Uint8Array(16).fill(1), geometry)),
    geometryArb,
  ),
  findConflicts: call(api.findConflicts, grid, geometryArb),
  solveSudoku: bounded(call(api.solveSudoku, grid, geometryArb, maybe(object({}, { limit: int(1, 2) })))),
  readTokens: call(api.readTokens, value([...new Uint8Array(16).fill(2)]), int(0, 1), geometryArb),
  writeTokens: call(
    api.writeTokens,
    grid,
    value(0).map(() => () => new Int32Array(16)),
    int(0, 1),
  ),
  assertDisjoint: call(api.assertDisjoint, setArb, setArb, value('sets')),
  blanksHistogram: call(api.blanksHistogram, setArb),
  overlapOf: call(api.overlapOf, setArb, setArb),
  splitByGrid: call(api.splitByGrid, setArb, value(0.5, 0.1), seed),
  formatGrid: call(api.formatGrid, grid),
  parseGrid: call(
    api.parseGrid,
    value('1...............', '1234341221434321'),
    maybe(geometryArb),
    maybe(value('here')),
  ),
  prettyGrid: call(api.prettyGrid, grid, geometryArb),
  SudokuSet: bounded(construct(api.SudokuSet, geometryArb, maybe(int(0, 9)))),
  'SudokuSet.length': { args: [none], call: () => set.length },
  'SudokuSet.push': method(() => new api.SudokuSet(geometry), 'push', grid, grid, int(0, 9)),
  'SudokuSet.puzzle': method(() => set, 'puzzle', int(0, 3)),
  'SudokuSet.solution': method(() => set, 'solution', int(0, 3)),
  'SudokuSet.rating': method(() => set, 'rating', int(0, 3)),
  'SudokuSet.select': method(() => set, 'select', list(int(0, 2), 0, 3)),
  SudokuTransform: construct(
    api.SudokuTransform,
    geometryArb,
    value(Uint8Array.of(0, 2, 1, 3, 4)),
    ...[value(Uint8Array.of(1, 0, 2, 3)), value(Uint8Array.of(0, 1, 3, 2)), value(true, false)],
  ),
  'SudokuTransform.identity': call((shape: api.Geometry) => api.SudokuTransform.identity(shape), geometryArb),
  'SudokuTransform.random': call(
    (...args: [api.Geometry, api.Philox]) => api.SudokuTransform.random(...args),
    geometryArb,
    rng,
  ),
  'SudokuTransform.apply': method(transform, 'apply', grid),
  'SudokuTransform.inverse': method(transform, 'inverse', none),
};

export function dataSubjects(): Promise<Subjects> {
  const directory = mkdtempSync(path.join(tmpdir(), 'hrm-fuzz-data-'));
  return Promise.resolve({ ...random, ...samplers, ...sudoku, ...fileSubjects(directory) });
}
