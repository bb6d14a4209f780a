/** From facts to findings: what is missing or slow, and the fix for each. */
import { type Facts } from './doctor_probe';

export interface Finding {
  /** error: hrm cannot work; warning: slower or limited; note: good to know. */
  level: 'error' | 'warning' | 'note';
  about: string;
  message: string;
  fix: string | null;
}

const GIB = 2 ** 30;

/** As CMakeLists.txt requires. */
export const CMAKE_MINIMUM = '3.16';

const buildTools: Record<string, string> = {
  linux: 'sudo apt install build-essential cmake (Debian, Ubuntu) or sudo dnf install gcc-c++ make cmake (Fedora)',
  darwin: 'xcode-select --install, then brew install cmake',
  win32: 'install Visual Studio Build Tools with "Desktop development with C++", and CMake',
};

/** Whether a dotted version is at least another. */
export function atLeast(version: string, minimum: string): boolean {
  const parts = (text: string): number[] => text.split('.').map((part) => Number.parseInt(part, 10));
  const [have, need] = [parts(version), parts(minimum)];
  for (let i = 0; i < need.length; i++) {
    const difference = (have[i] ?? 0) - need[i]!;
    if (difference !== 0) return difference > 0;
  }
  return true;
}

function addonFindings({ addon, package: pack, tools, system }: Facts): Finding[] {
  const canBuild = tools.compiler !== null && tools.cmake !== null;
  const install = buildTools[system.platform] ?? `install a C++17 compiler and CMake ${CMAKE_MINIMUM} or newer`;
  const build = pack.isClone ? `npm run build in ${pack.root}` : `npm rebuild, or npm run build in ${pack.root}`;
  const fix = canBuild ? build : `${install}; then ${build}`;
  const findings: Finding[] = [];
  if (addon.status === 'missing') {
    const message = `the native addon is not built; looked for ${addon.tried.join(', ')}`;
    findings.push({ level: 'error', about: 'addon', message, fix });
  } else if (addon.status === 'broken') {
    const message = `${addon.path} does not load: ${addon.error}`;
    const stale = /GLIBC|version|ELF|wrong architecture|another build/i.test(addon.error ?? '');
    const why = stale ? 'it was built for another system or version: ' : '';
    findings.push({ level: 'error', about: 'addon', message, fix: `${why}${fix}` });
  }
  if (tools.compiler === null || tools.cmake === null) {
    const missing = [tools.compiler === null ? 'a C++ compiler' : '', tools.cmake === null ? 'CMake' : ''];
    findings.push({
      level: addon.status === 'loaded' ? 'note' : 'error',
      about: 'build tools',
      message: `${missing.filter(Boolean).join(' and ')} not found on PATH; needed to build the addon`,
      fix: install,
    });
  }
  if (tools.cmake !== null) {
    const version = /\d+(\.\d+)+/.exec(tools.cmake.version)?.[0];
    if (version !== undefined && !atLeast(version, CMAKE_MINIMUM)) {
      const message = `CMake must be at least ${CMAKE_MINIMUM}, got ${version}`;
      findings.push({ level: 'error', about: 'build tools', message, fix: 'install a newer CMake' });
    }
  }
  return findings;
}

function cpuFindings({ addon, cpu, threads, system }: Facts): Finding[] {
  const findings: Finding[] = [];
  const info = addon.info;
  if (info !== null && info.isa !== info.detectedIsa) {
    findings.push({
      level: 'warning',
      about: 'cpu',
      message: `instruction set ${info.isa} is in use, ${info.detectedIsa} is available (HRM_ISA=${cpu.forcedIsa ?? ''})`,
      fix: 'unset HRM_ISA',
    });
  }
  if (info?.detectedIsa === 'base' && system.arch === 'x64') {
    const message = 'this CPU or virtual machine has no AVX2 and FMA; training runs several times slower';
    findings.push({ level: 'warning', about: 'cpu', message, fix: 'use a machine with AVX2, or expose it to the VM' });
  }
  const quota = info?.cpus.quota ?? threads.cgroupCpus;
  if (quota !== null && quota < threads.available) {
    findings.push({
      level: 'note',
      about: 'threads',
      message: `the control group grants ${quota} CPUs, ${threads.available} are visible`,
      fix: info === null ? `--set train.threads=${Math.max(1, Math.floor(quota))}` : null,
    });
  }
  return findings;
}

/** What the addon can use decides; nvidia-smi, which may not be there, only says what there might be. */
function gpuFindings({ addon, gpu, tools }: Facts): Finding[] {
  const cuda = addon.info?.cuda;
  if (cuda && (addon.info?.gpu?.count ?? 0) > 0) {
    const { file, missing } = cuda.cublasLt;
    if (file !== '') return [];
    const message = `matrix products run on this engine's kernels alone: cuBLASLt was not found (${missing})`;
    const fix = 'install libcublas for CUDA 12 or 13, or name libcublasLt in HRM_CUBLASLT';
    return [{ level: 'note', about: 'gpu', message, fix }];
  }
  if (gpu.smiError !== null) {
    const fix = 'install the driver that matches the GPU, or restart after a driver update';
    return [{ level: 'warning', about: 'gpu', message: `nvidia-smi fails: ${gpu.smiError}`, fix }];
  }
  if (gpu.devices.length === 0 && gpu.driver === null) {
    const message = 'no NVIDIA GPU or driver found; everything runs on the CPU';
    return [{ level: 'note', about: 'gpu', message, fix: null }];
  }
  if (cuda) {
    const reason = addon.info?.gpu?.missing ?? 'the addon does not say why';
    const message = `there is a GPU, but the addon cannot use it, and everything runs on the CPU: ${reason}`;
    const fix = `install a driver for CUDA ${cuda.runtimeVersion} or newer, and look at CUDA_VISIBLE_DEVICES`;
    return [{ level: 'warning', about: 'gpu', message, fix }];
  }
  const message = 'there is a GPU, but the addon is built without CUDA';
  const toolkit = tools.nvcc === null ? 'install the CUDA toolkit; then ' : '';
  return [{ level: 'note', about: 'gpu', message, fix: `${toolkit}npm run build -- --cuda` }];
}

/** Findings, worst first. */
export function diagnose(facts: Facts): Finding[] {
  const findings: Finding[] = [];
  const minimum = /\d+(\.\d+)*/.exec(facts.node.required)?.[0];
  if (minimum !== undefined && !atLeast(facts.node.version, minimum)) {
    const message = `Node.js must be ${facts.node.required}, got ${facts.node.version}`;
    findings.push({ level: 'error', about: 'node', message, fix: 'install a newer Node.js from https://nodejs.org' });
  }
  findings.push(...addonFindings(facts), ...cpuFindings(facts), ...gpuFindings(facts));
  if (facts.memory.budgetBytes < 2 * GIB) {
    const message = `tensors may use ${(facts.memory.budgetBytes / GIB).toFixed(1)} GiB; the official sizes need more`;
    findings.push({
      level: 'warning',
      about: 'memory',
      message,
      fix: 'raise the memory limit, or train a smaller model',
    });
  }
  const rank = { error: 0, warning: 1, note: 2 };
  return findings.sort((a, b) => rank[a.level] - rank[b.level]);
}
