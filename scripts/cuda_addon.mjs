// The addon with CUDA, in a folder of its own beside the one for the CPU (npm run build -- --cuda).
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { rootDir } from './source_files.mjs';

export const CUDA_BUILD = 'build-cuda';
export const CUDA_ADDON = path.join(rootDir, CUDA_BUILD, 'Release', 'hrm.node');
/** Every kernel on random inputs, a bare process: for compute-sanitizer. */
export const OP_TEST = path.join(rootDir, CUDA_BUILD, 'native_tests', 'op_test');

/** The libraries of NVIDIA that a file is linked to; there must be none, or it does not load where they are not. */
export function nvidiaLibraries(file) {
  const { status, stdout, stderr } = spawnSync('ldd', [file], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ldd ${file}: ${stderr.trim()}`);
  return stdout.split('\n').filter((line) => /lib(cuda|cudart|cublas|nvidia|nvrtc|nccl|cudnn)/i.test(line));
}

/** What the addon says of the device: {name, count, missing}. In a process of its own, as the driver may be broken. */
export function gpuOf(addon) {
  const script = 'process.stdout.write(JSON.stringify(require(process.argv[1]).gpu()))';
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', script, addon], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${addon} does not load: ${stderr.trim()}`);
  return JSON.parse(stdout);
}
