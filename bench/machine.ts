/** What the figures were measured on. */
import { spawnSync } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { addon } from '../ts/native/boundary';

/** The repository, from dist-test/bench. */
export const repositoryRoot = path.resolve(__dirname, '..', '..');

export interface Machine {
  cpu: string;
  /** Instruction set that the kernels use. */
  isa: string;
  cores: number;
  threads: number;
  memoryBytes: number;
  os: string;
  compiler: string;
  /** Node, and the peers that were there. */
  versions: Record<string, string>;
  /** ISO 8601, UTC. */
  date: string;
  /** With "+" where the working tree differs from it. */
  commit: string;
  /** Average number of running processes over a minute: more than our own threads means that others disturb. */
  loadAtStart: number;
  loadAtEnd: number;
}

function git(...args: string[]): string | undefined {
  const result = spawnSync('git', args, { cwd: repositoryRoot, encoding: 'utf8' });
  return result.status === 0 ? result.stdout.trim() : undefined;
}

function commit(): string {
  const hash = git('rev-parse', '--short=12', 'HEAD');
  if (hash === undefined) return 'unknown';
  return git('status', '--porcelain', '--untracked-files=no') === '' ? hash : `${hash}+`;
}

/** @param versions of the peers found */
export function describeMachine(
  threads: number,
  versions: Readonly<Record<string, string>>,
  loadAtStart: number,
  date: Date,
): Machine {
  const info = addon().info();
  return {
    cpu: os.cpus()[0]?.model.trim() ?? info.cpu,
    isa: info.isa,
    cores: os.availableParallelism(),
    threads,
    memoryBytes: os.totalmem(),
    os: `${os.type()} ${os.release()} ${os.arch()}`,
    compiler: info.compiler,
    versions: { node: process.versions.node, ...versions },
    date: date.toISOString(),
    commit: commit(),
    loadAtStart,
    loadAtEnd: os.loadavg()[0]!,
  };
}
