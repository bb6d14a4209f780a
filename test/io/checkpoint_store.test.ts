import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ArgumentError, FileError, FormatError } from '../../ts/error';
import { writeFileAtomic } from '../../ts/io/atomic_file';
import { CheckpointStore, verifyCheckpoint } from '../../ts/io/checkpoint_store';
import { crashAtEveryCall, killAtRandomInstants } from '../programs/kill_save';
import { expectHostileSafe, expectTyped } from './hostile';

let root: string;
beforeEach(() => {
  root = fs.mkdtempSync(path.join(tmpdir(), 'hrm-checkpoint-'));
});
afterEach(() => {
  fs.rmSync(root, { recursive: true, force: true });
});

const files = (text: string) => new Map([['model', Buffer.from(text)]]);
const names = (): string[] => fs.readdirSync(root).sort();
const modelOf = (store: CheckpointStore): string =>
  fs.readFileSync(store.latest().checkpoint!.files.get('model')!.path, 'utf8');

/** Runs `body` while recording the file system calls that matter for durability, as `name file`. */
function recordCalls(body: () => void): string[] {
  const calls: string[] = [];
  const paths = new Map<number, string>();
  const short = (file: unknown): string => path.relative(root, String(file)).replace(/\.tmp-[0-9]+-[0-9a-f]+/, '.tmp');
  const { openSync, fsyncSync, renameSync, writeSync, rmSync } = fs;
  Object.assign(fs, {
    openSync: (file: string, flags: string, mode?: number) => {
      const fd = openSync(file, flags, mode);
      paths.set(fd, file);
      return fd;
    },
    writeSync: (fd: number, ...rest: never[]) => {
      calls.push(`write ${short(paths.get(fd))}`);
      return (writeSync as (fd: number, ...rest: never[]) => number)(fd, ...rest);
    },
    fsyncSync: (fd: number) => {
      calls.push(`sync ${short(paths.get(fd))}`);
      fsyncSync(fd);
    },
    renameSync: (from: string, to: string) => {
      calls.push(`rename ${short(from)} ${short(to)}`);
      renameSync(from, to);
    },
    rmSync: (file: string, options?: fs.RmOptions) => {
      calls.push(`remove ${short(file)}`);
      rmSync(file, options);
    },
  });
  try {
    body();
  } finally {
    Object.assign(fs, { openSync, fsyncSync, renameSync, writeSync, rmSync });
  }
  return calls;
}

describe('CheckpointStore', () => {
  it('saves, finds the newest, and keeps two', () => {
    const store = new CheckpointStore(root);
    expect(store.latest()).toEqual({ checkpoint: null, rejected: [] });
    for (const step of [0, 10, 1234]) store.save(step, files(`at ${step}`));
    expect(names()).toEqual(['step-00000010', 'step-00001234']);
    const { checkpoint, rejected } = new CheckpointStore(root).latest();
    expect([checkpoint!.step, checkpoint!.path, rejected]).toEqual([1234, path.join(root, 'step-00001234'), []]);
    expect(modelOf(store)).toBe('at 1234');
    expect(checkpoint!.files.get('model')!.sha256).toBe(
      '8632333228d03630599fe8958c0c07c154038949b5f4beb68263c5e690ca4b56',
    );
  });

  it('keeps as many as it is told', () => {
    const store = new CheckpointStore(root, { keep: 1 });
    for (const step of [1, 2, 3]) store.save(step, files(''));
    expect(names()).toEqual(['step-00000003']);
  });

  it('removes what an earlier crash left too many, before it writes', () => {
    for (const step of [1, 2, 3, 4]) new CheckpointStore(root, { keep: 4 }).save(step, files(''));
    function* failing(): Generator<Uint8Array> {
      yield Buffer.from('half');
      throw new Error('no more');
    }
    expect(() => new CheckpointStore(root).save(5, new Map([['model', failing()]]))).toThrow(ArgumentError);
    expect(names()).toEqual(['step-00000003', 'step-00000004']);
  });

  it('writes streamed pieces and makes missing directories', () => {
    function* pieces(): Generator<Uint8Array> {
      yield Buffer.from('one ');
      yield new Uint8Array(0);
      yield Buffer.from('two');
    }
    const store = new CheckpointStore(path.join(root, 'a', 'b'));
    store.save(5, new Map([['model', pieces()]]));
    expect(modelOf(store)).toBe('one two');
  });

  it('saves a step again as a revision, and refuses an earlier step', () => {
    const store = new CheckpointStore(root, { keep: 3 });
    store.save(7, files('a'));
    store.save(7, files('b'));
    store.save(7, files('c'));
    expect(names()).toEqual(['step-00000007', 'step-00000007.r1', 'step-00000007.r2']);
    expect(modelOf(store)).toBe('c');
    expect(() => new CheckpointStore(root).save(6, files(''))).toThrow('step must be at least 7');
    store.save(7, files('d'));
    expect(names()).toEqual(['step-00000007.r1', 'step-00000007.r2', 'step-00000007.r3']);
    expect(modelOf(new CheckpointStore(root))).toBe('d');
  });

  it('falls back to the previous checkpoint and says why, for any damage', () => {
    const store = new CheckpointStore(root);
    store.save(1, files('good'));
    const bad = store.save(2, files('bad')).path;
    const model = path.join(bad, 'model');
    const manifest = path.join(bad, 'manifest.json');
    const text = fs.readFileSync(manifest, 'utf8');
    const damages: readonly (readonly [() => void, string])[] = [
      [() => fs.writeFileSync(model, 'bAd'), 'sha256 must be'],
      [() => fs.writeFileSync(model, 'ba'), 'must have 3 bytes, got 2'],
      [() => fs.rmSync(model), 'cannot read (ENOENT'],
      [() => fs.symlinkSync('../step-00000001/model', model), 'must be a regular file'],
      [() => fs.mkdirSync(model), 'must be a regular file'],
      [() => fs.rmSync(manifest), 'cannot read (ENOENT'],
      [() => fs.writeFileSync(manifest, text.slice(0, 40)), 'parseJson'],
      [() => fs.writeFileSync(manifest, '[]'), 'must be an object'],
      [() => fs.writeFileSync(manifest, text.replace('hrm-checkpoint', 'x')), 'format must be hrm-checkpoint, got "x"'],
      [() => fs.writeFileSync(manifest, text.replace('"version": 1', '"version": 2')), 'version must be 1, got 2'],
      [() => fs.writeFileSync(manifest, text.replace('"step": 2', '"step": 3')), "directory's name, got 3"],
      [
        () => fs.writeFileSync(manifest, text.replace('"step": 2', '"step": -2')),
        'step must be a non-negative integer',
      ],
      [() => fs.writeFileSync(manifest, text.replace('"files"', '"filez"')), 'files must be an object, got undefined'],
      [() => fs.writeFileSync(manifest, text.replace('"model"', '"../model"')), 'a file name must match'],
      [() => fs.writeFileSync(manifest, text.replace('"model"', '"__proto__x/"')), 'a file name must match'],
      [() => fs.writeFileSync(manifest, text.replace('"nBytes": 3', '"nBytes": 3.5')), 'nBytes of model must be'],
      [() => fs.writeFileSync(manifest, text.replace(/"sha256": "../, '"sha256": "')), 'sha256 of model must be 64'],
      [() => fs.writeFileSync(manifest, ' '.repeat(2 ** 21)), 'must have at most 1048576 bytes'],
    ];
    for (const [damage, reason] of damages) {
      fs.rmSync(model, { recursive: true, force: true });
      fs.writeFileSync(manifest, text);
      fs.writeFileSync(model, 'bad');
      expect(store.latest().checkpoint!.step).toBe(2);
      if (reason.includes('regular')) fs.rmSync(model);
      damage();
      const { checkpoint, rejected } = store.latest();
      expect(checkpoint!.step).toBe(1);
      expect(rejected).toHaveLength(1);
      expect(rejected[0]!.path).toBe(bad);
      expect(rejected[0]!.reason).toContain(reason);
    }
  });

  it('never removes the last good checkpoint, whatever was damaged after it', () => {
    const store = new CheckpointStore(root);
    store.save(1, files('good'));
    store.save(2, files('two'));
    fs.writeFileSync(path.join(root, 'step-00000002', 'model'), 'xxx');
    fs.mkdirSync(path.join(root, 'step-00000003'));
    const resumed = new CheckpointStore(root);
    expect(resumed.latest().checkpoint!.step).toBe(1);
    resumed.save(2, files('again'));
    expect(names()).toEqual(['step-00000001', 'step-00000002', 'step-00000002.r1', 'step-00000003']);
    expect(modelOf(resumed)).toBe('again');
    resumed.save(4, files('four'));
    expect(names()).toEqual(['step-00000002.r1', 'step-00000003', 'step-00000004']);
  });

  it('leaves everything as it was when a save fails', () => {
    const store = new CheckpointStore(root);
    store.save(1, files('good'));
    function* failing(): Generator<Uint8Array> {
      yield Buffer.from('half');
      throw new Error('no more');
    }
    expect(() => store.save(2, new Map([['model', failing()]]))).toThrow(ArgumentError);
    expect(() => store.save(2, new Map([['model', [1] as never]]))).toThrow('content must be a Uint8Array, got 1');
    expect(() => store.save(2, new Map([['a/b', Buffer.from('')]]))).toThrow(ArgumentError);
    expect(() => store.save(2, new Map([['manifest.json', Buffer.from('')]]))).toThrow(ArgumentError);
    expect(names()).toEqual(['step-00000001']);
    fs.writeFileSync(path.join(root, 'file'), '');
    expect(() => new CheckpointStore(path.join(root, 'file')).save(1, files(''))).toThrow(FileError);
    expect(() => new CheckpointStore(path.join(root, 'file')).latest()).toThrow(FileError);
  });

  it('removes stale temporaries, and only those', () => {
    const dead = 2 ** 22 + 1; // above the largest process id of Linux
    const mine = `step-00000001.tmp-${process.pid}-0123456789ab`;
    const stale = `step-00000002.tmp-${dead}-0123456789ab`;
    const alive = `step-00000003.tmp-1-0123456789ab`;
    const others = ['notes.tmp-99999999-0123456789ab', 'step-00000004.tmp', 'step-5', 'step-00000006x', 'other'];
    for (const name of [mine, stale, alive, ...others]) {
      fs.mkdirSync(path.join(root, name, 'inner'), { recursive: true });
    }
    new CheckpointStore(root).save(9, files(''));
    expect(names()).toEqual([alive, ...others, 'step-00000009'].sort());
  });

  it('syncs every file before the rename, and the root after it, before anything is removed', () => {
    const store = new CheckpointStore(root, { keep: 1 });
    store.save(1, files('a'));
    expect(recordCalls(() => store.save(2, files('b').set('other', Buffer.from('c'))))).toEqual([
      'write step-00000002.tmp/model',
      'sync step-00000002.tmp/model',
      'write step-00000002.tmp/other',
      'sync step-00000002.tmp/other',
      'write step-00000002.tmp/manifest.json',
      'sync step-00000002.tmp/manifest.json',
      'sync step-00000002.tmp',
      'rename step-00000002.tmp step-00000002',
      'sync ',
      'rename step-00000001 step-00000001.tmp',
      'remove step-00000001.tmp',
    ]);
  });

  it('gives typed errors for hostile arguments', () => {
    const store = new CheckpointStore(root);
    expectHostileSafe('save', (step: number, map: Map<string, Uint8Array>) => store.save(step, map), [1, files('x')]);
    const missing = path.join(root, 'missing');
    expectTyped('missing', () => verifyCheckpoint(missing));
    expectHostileSafe('verifyCheckpoint', verifyCheckpoint, [missing]);
    expectHostileSafe(
      'CheckpointStore',
      (dir: string, options?: { keep?: number }) => new CheckpointStore(dir, options),
      [root, { keep: 2 }],
    );
    expectTyped('keep', () => new CheckpointStore(root, { keep: 0 }));
    expect(() => new CheckpointStore(root, { keep: 0 })).toThrow(ArgumentError);
    expect(() => new CheckpointStore('')).toThrow(ArgumentError);
  });
});

describe('writeFileAtomic', () => {
  it('replaces a file and leaves nothing else, whether it succeeds or not', () => {
    const file = path.join(root, 'a.txt');
    writeFileAtomic(file, Buffer.from('one'));
    writeFileAtomic(file, [Buffer.from('t'), Buffer.from('wo')]);
    expect(fs.readFileSync(file, 'utf8')).toBe('two');
    const hostile: unknown[] = [Buffer.from('x'), 5];
    expect(() => writeFileAtomic(file, hostile as Uint8Array[])).toThrow(ArgumentError);
    expect(fs.readFileSync(file, 'utf8')).toBe('two');
    expect(() => writeFileAtomic(path.join(root, 'none', 'a'), Buffer.from(''))).toThrow('cannot create (ENOENT');
    expect(names()).toEqual(['a.txt']);
    fs.mkdirSync(path.join(root, 'directory'));
    expect(() => writeFileAtomic(path.join(root, 'directory'), Buffer.from(''))).toThrow(FileError);
    expect(names()).toEqual(['a.txt', 'directory']);
  });

  it('syncs the file before the rename and the directory after it', () => {
    const file = path.join(root, 'a');
    expect(recordCalls(() => writeFileAtomic(file, Buffer.from('1')))).toEqual([
      'write a.tmp',
      'sync a.tmp',
      'rename a.tmp a',
      'sync ',
    ]);
  });

  it('gives typed errors for hostile arguments', () => {
    const inRoot = (name: unknown, content: unknown) =>
      writeFileAtomic(typeof name === 'string' ? path.join(root, name) : (name as never), content as never);
    expectHostileSafe('writeFileAtomic', inRoot, ['a', Buffer.from('x')]);
  });
});

describe('kill -9', () => {
  it('at every single file system call leaves only complete checkpoints', () => {
    expect(crashAtEveryCall()).toBeGreaterThan(40);
  });

  it('at random instants leaves only complete checkpoints', async () => {
    const { saves, midSave } = await killAtRandomInstants(40, 2026);
    expect(saves).toBeGreaterThan(10);
    expect(midSave).toBeGreaterThan(10);
  });
});

it('reports a damaged checkpoint as a FormatError', () => {
  const { path: directory } = new CheckpointStore(root).save(1, files('x'));
  fs.writeFileSync(path.join(directory, 'model'), 'y');
  expect(() => verifyCheckpoint(directory)).toThrow(FormatError);
});
