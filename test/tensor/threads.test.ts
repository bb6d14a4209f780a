import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, describe, expect, it } from '@jest/globals';
import { addon } from '../../ts/native/boundary';
import { getNumThreads } from '../../ts/index';

const base = mkdtempSync(path.join(tmpdir(), 'hrm-cpus-'));
afterAll(() => {
  rmSync(base, { recursive: true });
});

let count = 0;
/** A folder with these files in it. */
function root(files: Readonly<Record<string, string>>): string {
  const folder = path.join(base, String(count++));
  for (const [name, text] of Object.entries({ 'proc/self/cgroup': '', ...files })) {
    const file = path.join(folder, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  return folder;
}
/** CPUs i and i + n / 2 share a core, as most firmware numbers them. */
function hyperthreads(n: number): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: n }, (_, cpu) => [
      `sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`,
      `${cpu % (n / 2)},${(cpu % (n / 2)) + n / 2}\n`,
    ]),
  );
}
const V2 = 'sys/fs/cgroup';

describe('the default number of threads', () => {
  it.each<[string, Record<string, string>, number, object]>([
    ['every CPU where nothing is known of it', {}, 6, { affinity: 6, cores: 6, quota: null, threads: 6 }],
    ['one a physical core', hyperthreads(8), 8, { affinity: 8, cores: 4, quota: null, threads: 4 }],
    ['only cores of the affinity', hyperthreads(8), 5, { affinity: 5, cores: 4, threads: 4 }],
    ['a quota of version 2', { [`${V2}/cpu.max`]: '250000 100000\n' }, 8, { quota: 2.5, threads: 2 }],
    ['no quota of version 2', { [`${V2}/cpu.max`]: 'max 100000\n' }, 8, { quota: null, threads: 8 }],
    ['less than one CPU', { [`${V2}/cpu.max`]: '50000 100000\n' }, 8, { quota: 0.5, threads: 1 }],
    [
      'the least quota of a group and those above it',
      {
        'proc/self/cgroup': '0::/a/b/c\n',
        [`${V2}/a/cpu.max`]: '300000 100000',
        [`${V2}/a/b/cpu.max`]: 'max 100000',
        [`${V2}/a/b/c/cpu.max`]: '600000 100000',
      },
      8,
      { quota: 3, threads: 3 },
    ],
    [
      'a quota of version 1',
      {
        'proc/self/cgroup': '9:memory:/m\n4:cpu,cpuacct:/docker/x\n0::/\n',
        [`${V2}/cpu,cpuacct/docker/x/cpu.cfs_quota_us`]: '400000\n',
        [`${V2}/cpu,cpuacct/docker/x/cpu.cfs_period_us`]: '100000\n',
      },
      8,
      { quota: 4, threads: 4 },
    ],
    [
      'a quota of version 1 in a container, whose path is the host’s',
      {
        'proc/self/cgroup': '4:cpu:/docker/not/here\n',
        [`${V2}/cpu/cpu.cfs_quota_us`]: '100000',
        [`${V2}/cpu/cpu.cfs_period_us`]: '100000',
      },
      8,
      { quota: 1, threads: 1 },
    ],
    [
      'no quota of version 1',
      {
        'proc/self/cgroup': '4:cpu:/\n',
        [`${V2}/cpu/cpu.cfs_quota_us`]: '-1',
        [`${V2}/cpu/cpu.cfs_period_us`]: '100000',
      },
      8,
      { quota: null, threads: 8 },
    ],
    ['files of nonsense', { 'proc/self/cgroup': 'x\n:\n::', [`${V2}/cpu.max`]: 'a b' }, 3, { quota: null, threads: 3 }],
  ])('%s', (_, files, n, expected) => {
    expect(addon().cpuLimits(root(files), n)).toMatchObject(expected);
  });

  it('is at most the CPUs that this process may use', () => {
    const { cpus } = addon().info();
    expect(cpus.threads).toBeLessThanOrEqual(cpus.affinity);
    expect(cpus.affinity).toBeGreaterThanOrEqual(availableParallelism());
  });
});

describe('the memory that control groups grant', () => {
  it.each<[string, Record<string, string>, number | null]>([
    ['unlimited where nothing is known of it', {}, null],
    ['of a container', { [`${V2}/memory.max`]: '1000000\n' }, 1e6],
    ['no limit', { [`${V2}/memory.max`]: 'max\n' }, null],
    [
      'the least of a group and those above it',
      {
        'proc/self/cgroup': '0::/a/b/c\n',
        [`${V2}/a/memory.max`]: '3000000',
        [`${V2}/a/b/memory.max`]: 'max',
        [`${V2}/a/b/c/memory.max`]: '6000000',
      },
      3e6,
    ],
    [
      'of version 1',
      {
        'proc/self/cgroup': '4:cpu,cpuacct:/\n9:memory:/docker/x\n0::/\n',
        [`${V2}/memory/docker/x/memory.limit_in_bytes`]: '4000000\n',
        [`${V2}/memory/memory.limit_in_bytes`]: '9223372036854771712\n',
      },
      4e6,
    ],
    ['no limit of version 1', { [`${V2}/memory/memory.limit_in_bytes`]: '9223372036854771712\n' }, null],
    ['nonsense', { 'proc/self/cgroup': '::\n', [`${V2}/memory.max`]: '-7 x' }, null],
  ])('%s', (_, files, expected) => {
    expect(addon().groupMemoryLimit(root(files))).toBe(expected);
  });
});

describe('the threads of an environment', () => {
  // In a process of its own, because tests elsewhere set the number; the compiled entry, as a program would.
  it('are its part of the process’s while others live', async () => {
    const entry = JSON.stringify(require.resolve('../../ts/index'));
    const native = JSON.stringify(require.resolve('../../ts/native/boundary'));
    const script = `
      const { parentPort, Worker, isMainThread } = require('node:worker_threads');
      const { getNumThreads } = require(${entry});
      const { addon } = require(${native});
      const share = () => ({ n: getNumThreads(), of: addon().info().cpus.threads, among: addon().info().environments });
      parentPort.postMessage(share());
      parentPort.once('message', () => { parentPort.postMessage(share()); parentPort.close(); });
    `;
    const answers = (worker: Worker): Promise<{ n: number; of: number; among: number }> =>
      new Promise((resolve, reject) => {
        worker.once('message', resolve);
        worker.once('error', reject);
      });
    getNumThreads();
    const before = addon().info().environments;
    const first = new Worker(script, { eval: true });
    const one = await answers(first);
    const second = new Worker(script, { eval: true });
    await answers(second);
    first.postMessage('again');
    const both = await answers(first);
    second.postMessage('again');
    await answers(second);
    expect(one.among).toBe(before + 1);
    expect(both.among).toBe(before + 2);
    for (const { n, of, among } of [one, both]) expect(n).toBe(Math.max(1, Math.floor(of / among)));
  });
});
