import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import path from 'node:path';
import { ArgumentError, FileError, FormatError, HrmError } from '../error';
import { describe, requireInteger, requireMap, readOptions, requirePath } from './arguments';
import { isStaleTemporary, makeDirectoryAtomic, removeDirectoryAtomic } from './atomic_file';
import {
  errorCode,
  type FileContent,
  InputFile,
  makeDirectory,
  onFile,
  readWholeFile,
  requireContent,
  writeSyncedFile,
} from './files';
import { isJsonObject, type JsonValue, parseJson } from './strict_json';

/** A complete checkpoint directory, every file of which had the size and hash of its manifest when it was checked. */
export interface Checkpoint {
  readonly step: number;
  readonly path: string;
  readonly files: ReadonlyMap<string, CheckpointFile>;
}
export interface CheckpointFile {
  readonly path: string;
  readonly nBytes: number;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
}

/** The newest good checkpoint, and why each newer directory was passed over. */
export interface LatestCheckpoint {
  readonly checkpoint: Checkpoint | null;
  readonly rejected: readonly { readonly path: string; readonly reason: string }[];
}

const MANIFEST = 'manifest.json';
const FORMAT = 'hrm-checkpoint';
const VERSION = 1;
const MAX_MANIFEST_BYTES = 2 ** 20;
const HASH_CHUNK_BYTES = 2 ** 22;
const FILE_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/;
/** A step saved again (after Ctrl-C, or a resume that passed over a bad one) gets a revision; nothing is overwritten. */
const DIRECTORY = /^step-([0-9]{8,16})(?:\.r([1-9][0-9]{0,8}))?$/;

interface Entry {
  readonly name: string;
  readonly step: number;
  readonly revision: number;
}

/**
 * Checkpoint directories `step-00001234` under one root, each with the files of one save and a manifest of their sizes
 * and SHA-256. At any instant, whatever kills the process, every such directory is complete, and the newest good one is
 * never removed. One writer for a root at a time; any number of readers.
 */
export class CheckpointStore {
  readonly root: string;
  private readonly keep: number;
  /** Checkpoints this object wrote or verified: hashing gigabytes again at every save would double its cost. */
  private readonly verified = new Map<string, Checkpoint>();

  /** @param options.keep how many good checkpoints remain after a save (2) */
  constructor(root: string, options: { readonly keep?: number } = {}) {
    this.root = requirePath('CheckpointStore', 'root', root);
    const { keep = 2 } = readOptions('CheckpointStore', options, ['keep']);
    this.keep = requireInteger('CheckpointStore', 'keep', keep, 1, 1_000_000);
  }

  /**
   * Writes a checkpoint and, once it is on the disk, removes those beyond the newest `keep` good ones.
   * @param step at least that of the newest good checkpoint here: otherwise `latest` would not find what was saved
   * @param files by name (letters, digits, `_ . -`)
   * @throws ArgumentError; FileError where the system refuses (disk full), with all earlier checkpoints intact
   */
  save(step: number, files: ReadonlyMap<string, FileContent>): Checkpoint {
    const op = 'CheckpointStore.save';
    const checkedStep = requireInteger(op, 'step', step, 0, Number.MAX_SAFE_INTEGER);
    const contents = requireFiles(op, files);
    makeDirectory(op, this.root);
    // What crashes left: after each one there may be a checkpoint too many.
    this.removeStale(op);
    this.prune(op);
    const entries = this.entries(op);
    const newest = this.newestGood(entries, 1)[0];
    if (newest !== undefined && checkedStep < newest.step) {
      throw new ArgumentError(
        `${op}: step must be at least ${newest.step}, that of the newest checkpoint in ${this.root}, ` +
          `got ${checkedStep}; save another run to another directory`,
      );
    }
    const revision = 1 + Math.max(-1, ...entries.filter((e) => e.step === checkedStep).map((e) => e.revision));
    const name = directoryName(checkedStep, revision);
    const checkpoint = this.write(op, name, checkedStep, contents);
    this.verified.set(name, checkpoint);
    this.prune(op);
    return checkpoint;
  }

  /**
   * The newest checkpoint whose manifest and hashes verify (every file is read), or null. Directories that fail are
   * reported, newest first, and left for inspection.
   */
  latest(): LatestCheckpoint {
    const op = 'CheckpointStore.latest';
    const rejected: { path: string; reason: string }[] = [];
    for (const entry of this.entries(op)) {
      this.verified.delete(entry.name);
      try {
        const checkpoint = verifyCheckpoint(path.join(this.root, entry.name));
        this.verified.set(entry.name, checkpoint);
        return { checkpoint, rejected };
      } catch (error) {
        if (!(error instanceof HrmError)) throw error;
        rejected.push({ path: path.join(this.root, entry.name), reason: error.message });
      }
    }
    return { checkpoint: null, rejected };
  }

  /** The highest step that a checkpoint's name has, whether it verifies or not; null where there is none. Reads names alone. */
  newestStep(): number | null {
    return this.entries('CheckpointStore.newestStep')[0]?.step ?? null;
  }

  private write(op: string, name: string, step: number, contents: ReadonlyMap<string, FileContent>): Checkpoint {
    const directory = path.join(this.root, name);
    const files = new Map<string, CheckpointFile>();
    makeDirectoryAtomic(op, directory, (aside) => {
      for (const [fileName, content] of contents) {
        const hash = createHash('sha256');
        let nBytes = 0;
        writeSyncedFile(op, path.join(aside, fileName), content, (chunk) => {
          hash.update(chunk);
          nBytes += chunk.length;
        });
        files.set(fileName, { path: path.join(directory, fileName), nBytes, sha256: hash.digest('hex') });
      }
      writeSyncedFile(op, path.join(aside, MANIFEST), encodeManifest(step, files));
    });
    return { step, path: directory, files };
  }

  /** Checkpoint directories by name, newest first; none where the root does not exist. */
  private entries(op: string): Entry[] {
    const found: Entry[] = [];
    for (const name of this.names(op)) {
      const [, step, revision = '0'] = DIRECTORY.exec(name) ?? [];
      const entry = { name, step: Number(step), revision: Number(revision) };
      if (step !== undefined && name === directoryName(entry.step, entry.revision)) found.push(entry);
    }
    return found.sort((a, b) => b.step - a.step || b.revision - a.revision);
  }

  private names(op: string): string[] {
    try {
      return fs.readdirSync(this.root);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return [];
      return onFile(op, this.root, 'list', () => {
        throw error;
      });
    }
  }

  private newestGood(entries: readonly Entry[], count: number): Checkpoint[] {
    const good: Checkpoint[] = [];
    for (const entry of entries) {
      if (good.length === count) break;
      const checkpoint = this.verified.get(entry.name) ?? this.tryVerify(entry.name);
      if (checkpoint !== undefined) good.push(checkpoint);
    }
    return good;
  }

  private tryVerify(name: string): Checkpoint | undefined {
    try {
      const checkpoint = verifyCheckpoint(path.join(this.root, name));
      this.verified.set(name, checkpoint);
      return checkpoint;
    } catch (error) {
      if (error instanceof HrmError) return undefined;
      throw error;
    }
  }

  /** Removes what is older than the newest `keep` good ones; a bad one among them stays, as evidence. */
  private prune(op: string): void {
    const entries = this.entries(op);
    if (entries.length <= this.keep) return;
    const oldestKept = this.newestGood(entries, this.keep).at(this.keep - 1);
    if (oldestKept === undefined) return;
    const position = entries.findIndex((entry) => path.join(this.root, entry.name) === oldestKept.path);
    for (const { name } of entries.slice(position + 1)) {
      removeDirectoryAtomic(op, path.join(this.root, name));
      this.verified.delete(name);
    }
  }

  private removeStale(op: string): void {
    for (const name of this.names(op)) {
      if (!name.startsWith('step-') || !isStaleTemporary(name)) continue;
      const stale = path.join(this.root, name);
      onFile(op, stale, 'remove', () => fs.rmSync(stale, { recursive: true, force: true }));
    }
  }
}

/**
 * Checks a checkpoint directory: its manifest, and the size and SHA-256 of every file in it. Other files are ignored.
 * @throws FormatError or FileError with the reason
 */
export function verifyCheckpoint(directory: string): Checkpoint {
  const op = 'verifyCheckpoint';
  const folder = requirePath(op, 'directory', directory);
  const manifestPath = path.join(folder, MANIFEST);
  const { step, files } = parseManifest(op, folder, parseJson(readManifest(op, manifestPath), manifestPath));
  const entry = DIRECTORY.exec(path.basename(path.resolve(folder)));
  if (entry !== null && Number(entry[1]) !== step) {
    throw new FormatError(`${op}: ${manifestPath}: step must be that of the directory's name, got ${step}`);
  }
  for (const file of files.values()) verifyFile(op, file);
  return { step, path: folder, files };
}

function readManifest(op: string, file: string): Uint8Array {
  const { size } = onFile(op, file, 'read', () => fs.lstatSync(file));
  if (size > MAX_MANIFEST_BYTES) {
    throw new FormatError(`${op}: ${file}: must have at most ${MAX_MANIFEST_BYTES} bytes, got ${size}`);
  }
  return readWholeFile(op, file);
}

function verifyFile(op: string, file: CheckpointFile): void {
  const stat = onFile(op, file.path, 'read', () => fs.lstatSync(file.path));
  if (!stat.isFile()) throw new FileError(`${op}: ${file.path}: must be a regular file`);
  if (stat.size !== file.nBytes) {
    throw new FormatError(`${op}: ${file.path}: must have ${file.nBytes} bytes, got ${stat.size}`);
  }
  const input = new InputFile(op, file.path);
  try {
    const hash = createHash('sha256');
    const buffer = new Uint8Array(Math.min(HASH_CHUNK_BYTES, file.nBytes));
    for (let done = 0; done < file.nBytes; done += buffer.length) {
      const chunk = buffer.subarray(0, Math.min(buffer.length, file.nBytes - done));
      input.readInto(chunk, done);
      hash.update(chunk);
    }
    const sha256 = hash.digest('hex');
    if (sha256 !== file.sha256) {
      throw new FormatError(`${op}: ${file.path}: sha256 must be ${file.sha256}, got ${sha256}`);
    }
  } finally {
    input.close();
  }
}

function encodeManifest(step: number, files: ReadonlyMap<string, CheckpointFile>): Uint8Array {
  const listed = Object.fromEntries([...files].map(([name, { nBytes, sha256 }]) => [name, { nBytes, sha256 }]));
  return Buffer.from(`${JSON.stringify({ format: FORMAT, version: VERSION, step, files: listed }, null, 2)}\n`);
}

function parseManifest(op: string, folder: string, value: JsonValue): Pick<Checkpoint, 'step' | 'files'> {
  const fail = (message: string): never => {
    throw new FormatError(`${op}: ${path.join(folder, MANIFEST)}: ${message}`);
  };
  if (!isJsonObject(value)) return fail('must be an object');
  const { format, version, step, files } = value;
  if (format !== FORMAT) fail(`format must be ${FORMAT}, got ${describe(format)}`);
  if (version !== VERSION) fail(`version must be ${VERSION}, got ${describe(version)}`);
  if (typeof step !== 'number' || !Number.isSafeInteger(step) || step < 0) {
    return fail(`step must be a non-negative integer, got ${describe(step)}`);
  }
  if (!isJsonObject(files)) return fail(`files must be an object, got ${describe(files)}`);
  const checked = new Map<string, CheckpointFile>();
  for (const [name, file] of Object.entries(files)) {
    if (!FILE_NAME.test(name) || name === MANIFEST) {
      fail(`a file name must match ${FILE_NAME.source}, got ${describe(name)}`);
    }
    const { nBytes, sha256 } = isJsonObject(file) ? file : {};
    if (typeof nBytes !== 'number' || !Number.isSafeInteger(nBytes) || nBytes < 0) {
      return fail(`nBytes of ${name} must be a non-negative integer, got ${describe(nBytes)}`);
    }
    if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256)) {
      return fail(`sha256 of ${name} must be 64 hexadecimal digits, got ${describe(sha256)}`);
    }
    checked.set(name, { path: path.join(folder, name), nBytes, sha256 });
  }
  return { step, files: checked };
}

function requireFiles(op: string, files: unknown): Map<string, FileContent> {
  const checked = new Map<string, FileContent>();
  for (const [name, content] of requireMap(op, 'files', files)) {
    if (typeof name !== 'string' || !FILE_NAME.test(name) || name === MANIFEST) {
      throw new ArgumentError(
        `${op}: a file name must match ${FILE_NAME.source} and not be ${MANIFEST}, got ${describe(name)}`,
      );
    }
    checked.set(name, requireContent(op, `files ${name}`, content));
  }
  return checked;
}

function directoryName(step: number, revision: number): string {
  return `step-${String(step).padStart(8, '0')}${revision > 0 ? `.r${revision}` : ''}`;
}
