/** The functions for mazes. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as api from '../../ts';
import { bounded, call, construct, method, none, rare, type Subjects } from './subject';
import { type Arb, CallbackError, either, int, list, maybe, object, value } from './values';

const set = api.generateMazes({ size: 4, count: 3, seed: 1, minPath: 3 });
const mazeArb: Arb = value(set.maze(0), set.maze(1), set.answer(1), new Uint8Array(16));
const setArb: Arb = value(set);
const seed: Arb = either(int(0, 9), value(3n));
const samplerOptions: Arb = object({ batchSize: int(1, 2), seed, epochsPerInterval: int(1, 2) });
const augment: Arb = object({}, { dihedral: value(true, false) });
const wallPercent: Arb = value({ min: 20, max: 50 });
const signal: Arb = value(new AbortController().signal, AbortSignal.abort(new CallbackError('aborted')), {});
const csvText = `source,q,a,rating\n${[0, 1, 2]
  .map((i) => `x,${api.formatMaze(set.maze(i))},${api.formatMaze(set.answer(i))},4`)
  .join('\n')}\n`;

const inMemory: Subjects = {
  parseMaze: call(api.parseMaze, value('S  G', 'S.|.G', 'S.\n.G'), maybe(int(2, 3)), maybe(value('here'))),
  formatMaze: call(api.formatMaze, mazeArb),
  prettyMaze: call(api.prettyMaze, mazeArb),
  shortestPath: call(api.shortestPath, mazeArb),
  judgeMaze: call(api.judgeMaze, mazeArb, mazeArb),
  mazeViolations: call(api.mazeViolations, mazeArb, mazeArb),
  dihedralImage: call(api.dihedralImage, mazeArb, int(0, 8)),
  dihedralInverse: call(api.dihedralInverse, int(0, 8)),
  generateMazes: bounded(
    call(api.generateMazes, object({ size: int(2, 4), count: int(0, 2), seed, minPath: int(0, 2) }, { wallPercent })),
  ),
  generateMazeSplits: bounded(
    call(
      api.generateMazeSplits,
      object({
        ...{ size: int(4, 5), seed, minPath: int(0, 3), wallPercent },
        ...{ trainPuzzles: int(1, 2), validPuzzles: int(1, 2), testPuzzles: int(1, 2) },
      }),
    ),
  ),
  splitByLayout: call(api.splitByLayout, setArb, value(0.5, 0.1), seed),
  mazeOverlapOf: call(api.mazeOverlapOf, setArb, setArb),
  mazeDataset: bounded(call(api.mazeDataset, setArb, maybe(augment))),
  mazeSampler: bounded(call(api.mazeSampler, setArb, augment, samplerOptions)),
  isMazeDataset: call(api.isMazeDataset, value(api.mazeDataset(set))),
  MazeSet: bounded(construct(api.MazeSet, int(1, 5))),
  'MazeSet.length': { args: [none], call: () => set.length },
  'MazeSet.push': method(() => new api.MazeSet(4), 'push', mazeArb, mazeArb, int(0, 9)),
  'MazeSet.maze': method(() => set, 'maze', int(0, 3)),
  'MazeSet.answer': method(() => set, 'answer', int(0, 3)),
  'MazeSet.rating': method(() => set, 'rating', int(0, 3)),
  'MazeSet.select': method(() => set, 'select', list(int(0, 2), 0, 3)),
};

export function mazeSubjects(): Subjects {
  const directory = mkdtempSync(path.join(tmpdir(), 'hrm-fuzz-maze-'));
  const file = path.join(directory, 'x.csv');
  writeFileSync(file, csvText);
  const sets = path.join(directory, 'set');
  api.writeDataset(sets, { train: api.mazeDataset(set), test: api.mazeDataset(set) }, ['<blank>']);
  const origin: Arb = either(
    object({
      ...{ kind: value('generate'), trainPuzzles: int(1, 3), testPuzzles: int(1, 2) },
      ...{ size: int(4, 5), minPath: int(0, 3) },
    }),
    object({ kind: value('csv'), train: value(file) }, { testFraction: value(0.5), badRows: value('throw', 'skip') }),
  );
  return {
    ...inMemory,
    importMazeCsv: bounded(
      call(
        api.importMazeCsv,
        value(file, file, directory, '/nonexistent/x'),
        object({}, { size: int(4, 5), badRows: value('throw', 'skip'), maxRows: int(1, 2) }),
      ),
    ),
    buildMazeDataset: rare(
      call(
        api.buildMazeDataset,
        object(
          { out: value(0).map(() => () => path.join(mkdtempSync(path.join(directory, 'b-')), 'b')), seed, origin },
          { dihedral: value(true, false), signal },
        ),
      ),
    ),
    isMazeData: rare(call(api.isMazeData, value(sets, file, directory))),
    verifyMazeData: rare(call(api.verifyMazeData, value(sets, file, directory), maybe(object({}, { signal })))),
  };
}
