import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import path from 'node:path';
import { FileError } from '../error';
import { requirePath } from './arguments';
import { type FileContent, makeDirectory, onFile, requireContent, syncDirectory, writeSyncedFile } from './files';

/**
 * Replaces a file so that whoever reads it, at any instant and after any crash, finds the old content or the new, whole:
 * written aside in the same directory, synced, renamed, and the directory synced. A symbolic link is replaced, not
 * followed.
 * @throws FileError where the system refuses; nothing is left behind then
 */
export function writeFileAtomic(file: string, content: FileContent): void {
  const op = 'writeFileAtomic';
  const target = requirePath(op, 'file', file);
  const checked = requireContent(op, 'content', content);
  const aside = temporaryName(target);
  try {
    writeSyncedFile(op, aside, checked);
    onFile(op, target, 'replace', () => fs.renameSync(aside, target));
  } catch (error) {
    onFile(op, aside, 'remove', () => fs.rmSync(aside, { force: true }));
    throw error;
  }
  syncDirectory(op, path.dirname(target));
}

/**
 * Makes a file that appears whole or not at all, where nothing may be yet.
 * @throws FileError where the system refuses or `file` exists; nothing is left behind then
 */
export function createFileAtomic(file: string, content: FileContent): void {
  const op = 'createFileAtomic';
  const target = requirePath(op, 'file', file);
  const refuseExisting = (): void => {
    if (fs.existsSync(target)) throw new FileError(`${op}: ${target}: cannot create (EEXIST); nothing is overwritten`);
  };
  // Before the work too: it may take long.
  refuseExisting();
  const checked = requireContent(op, 'content', content);
  makeDirectory(op, path.dirname(target));
  const aside = temporaryName(target);
  try {
    writeSyncedFile(op, aside, checked);
    refuseExisting();
    onFile(op, target, 'create', () => fs.renameSync(aside, target));
  } catch (error) {
    onFile(op, aside, 'remove', () => fs.rmSync(aside, { force: true }));
    throw error;
  }
  syncDirectory(op, path.dirname(target));
}

/**
 * Makes a directory that appears whole or not at all: `fill` writes synced files (writeSyncedFile) into a directory aside,
 * which is synced, renamed to `directory` (where nothing may be yet), and the parent synced. Without subdirectories.
 * @throws FileError where the system refuses or `directory` exists; what `fill` throws; nothing is left behind then
 */
export function makeDirectoryAtomic(op: string, directory: string, fill: (aside: string) => void): void {
  const target = withoutSlash(directory);
  const aside = beginDirectory(op, target);
  try {
    fill(aside);
    commitDirectory(op, aside, target);
  } catch (error) {
    dropDirectory(op, aside);
    throw error;
  }
  syncDirectory(op, path.dirname(target));
}

/** {@link makeDirectoryAtomic} for a `fill` that lets other work in between. */
export async function makeDirectoryAtomicAsync(
  op: string,
  directory: string,
  fill: (aside: string) => Promise<void>,
): Promise<void> {
  const target = withoutSlash(directory);
  const aside = beginDirectory(op, target);
  try {
    await fill(aside);
    commitDirectory(op, aside, target);
  } catch (error) {
    dropDirectory(op, aside);
    throw error;
  }
  syncDirectory(op, path.dirname(target));
}

/** `data/maze/` as `data/maze`: what is made aside stands beside it, not in it. */
const withoutSlash = (directory: string): string => directory.replace(/(?<=.)[/\\]+$/, '');

function beginDirectory(op: string, directory: string): string {
  makeDirectory(op, path.dirname(directory));
  const aside = temporaryName(directory);
  onFile(op, aside, 'create', () => fs.mkdirSync(aside));
  return aside;
}

function commitDirectory(op: string, aside: string, directory: string): void {
  syncDirectory(op, aside);
  // rename(2) replaces an empty directory without a word.
  if (fs.existsSync(directory)) throw new FileError(`${op}: ${directory}: cannot create (EEXIST)`);
  onFile(op, directory, 'create', () => fs.renameSync(aside, directory));
}

function dropDirectory(op: string, aside: string): void {
  onFile(op, aside, 'remove', () => fs.rmSync(aside, { recursive: true, force: true }));
}

/**
 * Removes a directory so that no part of it is ever seen under its name: renamed to a temporary name first.
 * After a crash the rest is a stale temporary.
 */
export function removeDirectoryAtomic(op: string, directory: string): void {
  const aside = temporaryName(directory);
  onFile(op, directory, 'remove', () => fs.renameSync(directory, aside));
  onFile(op, aside, 'remove', () => fs.rmSync(aside, { recursive: true, force: true }));
}

const TEMPORARY = /\.tmp-([0-9]{1,10})-[0-9a-f]{12}$/;

/** `name.tmp-PID-RANDOM`: the process is named, so that another can tell a stale temporary from one in use. */
function temporaryName(target: string): string {
  return `${target}.tmp-${process.pid}-${randomBytes(6).toString('hex')}`;
}

/** Whether a name is that of a temporary whose writer is gone (or is this process, which writes one at a time). */
export function isStaleTemporary(name: string): boolean {
  const pid = Number(TEMPORARY.exec(name)?.[1] ?? NaN);
  if (Number.isNaN(pid)) return false;
  return pid === process.pid || !isRunning(pid);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it runs, but is somebody else's.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
