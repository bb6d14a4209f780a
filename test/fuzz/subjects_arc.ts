/** ARC tasks, their augmentation, voting. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as api from '../../ts';
import { writeTasks } from '../support/arc_tasks';
import { tinyModel } from '../support/tiny_model';
import { bounded, call, construct, method, none, rare, type Subjects } from './subject';
import { either, int, list, maybe, object, value, type Arb } from './values';

const signal: Arb = value(new AbortController().signal, {});

export async function arcSubjects(): Promise<Subjects> {
  const directory = mkdtempSync(path.join(tmpdir(), 'hrm-fuzz-arc-'));
  const source = writeTasks(path.join(directory, 'tasks'), new api.Philox(1), [1, 1], 4);
  const out = path.join(directory, 'set');
  await api.buildArcDataset({ out, inputs: [source], augmentations: 1, seed: 1, canvas: 4 });
  const test = api.loadDataset(out, 'test');
  const names = api.loadIdentifiers(out)!;
  const tasks = api.readArcTasks(source);
  const set = test.sets[0]!;
  const ids = Int32Array.from({ length: set.nExamples }, (_, row) => set.puzzleIdentifiers[row >> 1]!);
  const rows = {
    inputs: Int32Array.from(set.inputs),
    tokens: Int32Array.from(set.inputs),
    puzzleIdentifiers: ids,
    qHalt: new Float32Array(set.nExamples),
  };
  const votes = (): api.ArcVotes => new api.ArcVotes(test, names);
  const result = votes().result();
  const transform = (): api.ArcTransform => api.ArcTransform.random(new api.Philox(2));
  const grid: Arb = value(tasks[0]!.train[0]!.input, { rows: 0, cols: 0, cells: new Uint8Array(0) });
  const task: Arb = value(tasks[0], tasks[1]);
  const model = tinyModel({ seqLen: 16, vocabSize: 12, numPuzzleIdentifiers: names.length });
  return {
    readArcTasks: call(api.readArcTasks, value(source, directory, '/nonexistent/x')),
    findArcLeaks: call(api.findArcLeaks, list(task, 0, 2), list(task, 0, 2)),
    buildArcDataset: rare(
      call(
        api.buildArcDataset,
        object(
          {
            out: value(0).map(() => () => path.join(mkdtempSync(path.join(directory, 'made-')), 'b')),
            ...{ inputs: list(value(source), 0, 2), augmentations: int(0, 2), seed: int(0, 9) },
          },
          {
            canvas: int(1, 9),
            tasks: int(1, 2),
            excludeLeaks: value(true, false),
            trainOn: list(value(source), 0, 1),
            signal,
          },
        ),
      ),
    ),
    encodeArcGrid: call(api.encodeArcGrid, grid, maybe(int(1, 9)), maybe(int(0, 5)), maybe(int(0, 5))),
    decodeArcGrid: call(api.decodeArcGrid, either(value(new Int32Array(16)), list(int(0, 12), 4, 4))),
    parseArcName: call(api.parseArcName, value('x_t0_0123456789', 'x')),
    ArcTransform: construct(api.ArcTransform, int(0, 7), value(Uint8Array.of(0, 2, 1, 3, 4, 5, 6, 7, 8, 9))),
    'ArcTransform.identity': { args: [none], call: () => api.ArcTransform.identity() },
    'ArcTransform.random': call(
      (rng: api.Philox) => api.ArcTransform.random(rng),
      value(0).map(() => () => new api.Philox(1)),
    ),
    'ArcTransform.ofCode': call((code: number) => api.ArcTransform.ofCode(code), value(7_987_654_321, 123_456_789)),
    'ArcTransform.code': { args: [none], call: () => transform().code },
    'ArcTransform.apply': method(transform, 'apply', grid),
    'ArcTransform.undo': method(transform, 'undo', grid),
    'ArcTransform.nameOf': method(transform, 'nameOf', value('x')),
    ArcVotes: construct(api.ArcVotes, value(test), value(names)),
    'ArcVotes.add': method(votes, 'add', value(rows)),
    'ArcVotes.result': method(votes, 'result', none),
    arcSubmission: call(api.arcSubmission, value(result)),
    evaluateArc: bounded(
      call(
        api.evaluateArc,
        ...[value(model), value(test), value(names)],
        object({ segments: int(1, 2) }, { batchSize: int(1, 4), adaptive: value(true, false) }),
      ),
    ),
  };
}
