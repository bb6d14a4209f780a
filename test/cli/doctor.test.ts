import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { renderReport } from '../../ts/cli/doctor';
import { atLeast, CMAKE_MINIMUM, diagnose } from '../../ts/cli/doctor_diagnose';
import {
  gatherFacts,
  parseCpuInfo,
  parseCpuMax,
  probeAddon,
  type Facts,
  type NativeInfo,
} from '../../ts/cli/doctor_probe';
import { packageRoot } from '../../ts/cli/package_info';
import { addonCandidates } from '../../ts/native/addon';
import { runCli } from '../support/run_cli';

const info: NativeInfo = {
  isa: 'avx2',
  detectedIsa: 'avx2',
  cpu: 'A CPU',
  compiler: 'g++ 12',
  hardwareThreads: 4,
  cpus: { affinity: 4, cores: 4, quota: null, threads: 4 },
  physicalMemoryBytes: 2 ** 34,
  defaultMemoryLimitBytes: 2 ** 33,
};

const USABLE = { name: 'cuda', count: 1, missing: null };

const healthy: Facts = {
  package: { name: 'hrm-engine', version: '1.0.0', root: '/hrm', isClone: true },
  node: { version: '22.1.0', required: '>=20.19', napi: '9', modules: '127' },
  system: { platform: 'linux', arch: 'x64', release: '6', libc: 'glibc 2.36' },
  addon: { status: 'loaded', path: '/hrm/build/Release/hrm.node', tried: [], error: null, info },
  tools: {
    compiler: { path: '/usr/bin/c++', version: 'g++ 12' },
    cmake: { path: '/usr/bin/cmake', version: 'cmake version 3.25.1' },
    make: null,
    python: null,
    nvcc: null,
  },
  cpu: { model: 'A CPU', logical: 4, physical: 4, features: ['avx2', 'fma'], forcedIsa: null },
  threads: { available: 4, cgroupCpus: null },
  memory: { totalBytes: 2 ** 34, availableBytes: 2 ** 33, cgroupLimitBytes: null, budgetBytes: 2 ** 33 },
  gpu: { driver: null, devices: [], smiError: null },
};

const root = mkdtempSync(path.join(tmpdir(), 'hrm-doctor-'));
afterAll(() => rmSync(root, { recursive: true }));

describe('diagnose', () => {
  it('has nothing but a note for a healthy CPU machine', () => {
    const findings = diagnose(healthy);
    expect(findings.map(({ level, about }) => `${level} ${about}`)).toEqual(['note gpu']);
    expect(renderReport(healthy, findings)).toMatch(/hrm is ready\.\n$/);
    expect(renderReport(healthy, findings)).toMatch(
      /threads +4 by default: 4 CPUs allowed, 4 physical cores, no quota/,
    );
    const cpus = { affinity: 8, cores: 4, quota: 2.5, threads: 2 };
    const limited = { ...healthy, addon: { ...healthy.addon, info: { ...info, cpus } } };
    expect(renderReport(limited, [])).toMatch(/threads +2 by default: .*a quota of 2.5 CPUs; the quota decides/);
    const cublasLt = { file: 'libcublasLt.so.13', version: '13.0.1', missing: '' };
    const gpu = { driver: '580', devices: ['H100'], smiError: null };
    const withCuda = { ...info, gpu: USABLE, cuda: { runtimeVersion: '13.0', cublasLt } };
    const accelerated = { ...healthy, gpu, addon: { ...healthy.addon, info: withCuda } };
    expect(diagnose(accelerated)).toEqual([]);
    // nvidia-smi is not what decides.
    expect(diagnose({ ...accelerated, gpu: { driver: null, devices: [], smiError: null } })).toEqual([]);
    expect(diagnose({ ...accelerated, gpu: { driver: null, devices: [], smiError: 'mismatch' } })).toEqual([]);
    expect(renderReport(accelerated, [])).toMatch(/addon has CUDA 13.0, can use 1, finds libcublasLt.so.13 13.0.1;/);
  });

  const noAddon = { ...healthy.addon, status: 'missing' as const, info: null, path: null, tried: ['/hrm/x.node'] };
  it.each<[string, Partial<Facts>, string, RegExp, RegExp | null]>([
    ['no addon', { addon: noAddon }, 'error addon', /looked for \/hrm\/x.node/, /^npm run build in \/hrm$/],
    [
      'no addon and no compiler',
      { addon: noAddon, tools: { ...healthy.tools, compiler: null } },
      'error addon',
      /not built/,
      /apt install build-essential cmake.*; then npm run build/,
    ],
    [
      'an addon of another system',
      { addon: { ...noAddon, status: 'broken', path: '/a', error: "Error: version `GLIBC_2.38' not found" } },
      'error addon',
      /\/a does not load: .*GLIBC_2.38/,
      /built for another system or version: npm run build/,
    ],
    ['an old Node', { node: { ...healthy.node, version: '20.9.0' } }, 'error node', /got 20.9.0/, /nodejs.org/],
    [
      'an old CMake',
      { tools: { ...healthy.tools, cmake: { path: '/c', version: 'cmake version 3.10.2' } } },
      'error build tools',
      /at least 3.16, got 3.10.2/,
      /newer CMake/,
    ],
    ['no CMake', { tools: { ...healthy.tools, cmake: null } }, 'note build tools', /CMake not found/, /install/],
    [
      'a forced instruction set',
      { addon: { ...healthy.addon, info: { ...info, isa: 'base' } }, cpu: { ...healthy.cpu, forcedIsa: 'base' } },
      'warning cpu',
      /base is in use, avx2 is available/,
      /unset HRM_ISA/,
    ],
    ['few CPUs', { threads: { available: 4, cgroupCpus: 1.5 } }, 'note threads', /grants 1.5/, null],
    ['little memory', { memory: { ...healthy.memory, budgetBytes: 2 ** 29 } }, 'warning memory', /0.5 GiB/, /raise/],
    [
      'a GPU that nobody uses',
      { gpu: { driver: '580', devices: ['H100'], smiError: null } },
      'note gpu',
      /without CUDA/,
      /install the CUDA toolkit; then npm run build -- --cuda$/,
    ],
    [
      'a GPU without cuBLASLt',
      {
        gpu: { driver: '580', devices: ['H100'], smiError: null },
        addon: {
          ...healthy.addon,
          info: {
            ...info,
            gpu: USABLE,
            cuda: { runtimeVersion: '13.0', cublasLt: { file: '', version: '', missing: 'tried x' } },
          },
        },
      },
      'note gpu',
      /not found \(tried x\)/,
      /HRM_CUBLASLT/,
    ],
    [
      'a driver that is too old for the addon',
      {
        gpu: { driver: '470', devices: ['H100'], smiError: null },
        addon: {
          ...healthy.addon,
          info: {
            ...info,
            gpu: { name: 'cuda', count: 0, missing: 'driver too old' },
            cuda: { runtimeVersion: '13.0', cublasLt: { file: 'x', version: '13', missing: '' } },
          },
        },
      },
      'warning gpu',
      /the addon cannot use it, .*: driver too old$/,
      /install a driver for CUDA 13.0/,
    ],
    [
      'a broken driver',
      { gpu: { driver: null, devices: [], smiError: 'mismatch' } },
      'warning gpu',
      /mismatch/,
      /driver/,
    ],
  ])('names the fix for %s', (_name, change, heading, message, fix) => {
    const facts = { ...healthy, ...change };
    const findings = diagnose(facts);
    const found = findings.find(({ level, about }) => `${level} ${about}` === heading);
    expect(found?.message).toMatch(message);
    if (fix !== null) expect(found?.fix).toMatch(fix);
    const order = findings.map(({ level }) => ['error', 'warning', 'note'].indexOf(level));
    expect(order).toEqual([...order].sort());
    expect(renderReport(facts, findings)).toContain(heading.startsWith('error') ? 'cannot run yet' : 'hrm is ready');
  });

  it('compares versions by their parts', () => {
    expect(atLeast('20.19.0', '20.19')).toBe(true);
    expect(atLeast('20.9.0', '20.19')).toBe(false);
    expect(atLeast('22.0', '20.19')).toBe(true);
    expect(atLeast('3.15', '3.15.0')).toBe(true);
  });
});

describe('probes', () => {
  it('read cpuinfo of both architectures', () => {
    const core = (id: number): string =>
      `processor\t: ${id}\nmodel name\t: X\nphysical id\t: 0\ncore id\t: ${id >> 1}\n`;
    const flags = 'flags\t: fpu sse4_2 avx2 avx512_bf16 fma\n';
    const text = `${core(0)}${flags}\n${core(1)}${flags}\n${core(2)}${flags}\n`;
    expect(parseCpuInfo(text)).toEqual({ model: 'X', physical: 2, features: ['sse4_2', 'avx2', 'avx512_bf16', 'fma'] });
    expect(parseCpuInfo('processor\t: 0\nFeatures\t: fp asimd bf16 sve2\n')).toEqual({
      model: null,
      physical: null,
      features: ['asimd', 'bf16', 'sve2'],
    });
    expect(parseCpuInfo('')).toEqual({ model: null, physical: null, features: [] });
  });

  it('read the quota of a control group', () => {
    expect(parseCpuMax('150000 100000\n')).toBe(1.5);
    expect(parseCpuMax('max 100000\n')).toBeNull();
    expect(parseCpuMax(null)).toBeNull();
  });

  it('survive an addon that is missing, is no addon, or kills its process', async () => {
    const place = (name: string, text: string | null): string[] => {
      const file = path.join(root, `${name}.node`);
      if (text !== null) writeFileSync(file, text);
      return [file];
    };
    expect(await probeAddon(place('none', null))).toMatchObject({ status: 'missing', path: null });
    const garbage = await probeAddon(place('garbage', 'not an addon'));
    expect(garbage).toMatchObject({
      status: 'broken',
      error: expect.stringMatching(/Error: .*(too short|invalid ELF|not)/),
    });

    // A module in place of the binary: require() goes by the file's name only for .node, so point at JavaScript.
    const script = (body: string): string => {
      const file = path.join(root, `${String(body.length)}.js`);
      writeFileSync(file, body);
      return file;
    };
    const crash = await probeAddon([script("process.kill(process.pid, 'SIGSEGV'); for (;;);")]);
    expect(crash).toMatchObject({ status: 'broken', error: 'killed by SIGSEGV' });
    const other = await probeAddon([script('exports.info = () => ({ isa: 3 });')]);
    expect(other).toMatchObject({ status: 'broken', error: expect.stringContaining('another build') });
    const gpu = { name: 'cuda', count: 0, missing: 'no driver' };
    const asked = await probeAddon([
      script(`exports.info = () => (${JSON.stringify(info)}); exports.gpu = () => (${JSON.stringify(gpu)});`),
    ]);
    expect(asked.info?.gpu).toEqual(gpu);
    const good = await probeAddon([script(`exports.info = () => (${JSON.stringify(info)});`)]);
    expect(good).toMatchObject({ status: 'loaded', info });
  });
});

describe('hrm doctor', () => {
  it('asks for the CMake that the build asks for', () => {
    const lists = path.join(packageRoot(), 'CMakeLists.txt');
    expect(readFileSync(lists, 'utf8')).toContain(`cmake_minimum_required(VERSION ${CMAKE_MINIMUM})`);
  });

  it('looks at the addon that is loaded', async () => {
    expect((await gatherFacts()).addon.tried).toEqual(addonCandidates());
    const { stdout } = await runCli(['doctor', '--json'], { env: { HRM_ADDON: '/nowhere/hrm.node' } });
    const { addon } = JSON.parse(stdout) as Facts;
    expect(addon).toMatchObject({ status: 'missing', tried: ['/nowhere/hrm.node'] });
  });

  it('prints JSON that agrees with its exit code', async () => {
    const { exitCode, stdout, stderr } = await runCli(['doctor', '--json']);
    const report = JSON.parse(stdout) as Facts & { ok: boolean; findings: unknown[] };
    expect(stderr).toBe('');
    expect(exitCode).toBe(report.ok ? 0 : 1);
    expect(report.node.version).toBe(process.versions.node);
    expect(report.memory.budgetBytes).toBeGreaterThan(0);
    expect(report.findings).toBeInstanceOf(Array);
  });

  it('prints a report without any tool on PATH', async () => {
    const { stdout } = await runCli(['doctor'], { env: { PATH: '', CUDA_HOME: root } });
    expect(stdout).toMatch(/compiler +not found/);
    expect(stdout).toMatch(/C\+\+ compiler and CMake not found/);
  });
});
