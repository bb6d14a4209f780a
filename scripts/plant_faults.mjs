// Kernels of ours with one line altered each, for test/native/plant_test.cpp: what the simulation must catch. Every copy
// lives in a namespace of its own, so that it links beside the kernel that it was made from.
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { rootDir } from './source_files.mjs';

/**
 * `op` is run with the copy of `kernels` in which `edit.from` (there exactly once) became `edit.to`; `trims` shorten what
 * is compiled. Without an edit the copy must pass.
 */
const PLANTS = [
  { name: 'unaltered', op: 'rope', kernels: ['rope.cu'] },
  {
    name: 'removed_barrier_of_columns',
    op: 'softmax',
    kernels: ['softmax.cu'],
    edit: {
      file: 'device/rows.h',
      from: 'scratch[thread_x()] = value;\n    sync_block();',
      to: 'scratch[thread_x()] = value;',
    },
  },
  {
    name: 'removed_barrier_of_a_sort',
    op: 'random_permutation',
    kernels: ['random.cu'],
    edit: {
      file: 'random.cu',
      from: 'for (; distance > 0; distance /= 2) {\n      sync_block();',
      to: 'for (; distance > 0; distance /= 2) {',
    },
  },
  {
    name: 'removed_wait_for_tiles',
    op: 'linear',
    kernels: ['gemm.cu', 'linear.cu'],
    edit: { file: 'device/gemm_tile.h', from: '    wait_copies<kStages - 2>();\n', to: '' },
    trims: floatProducts(),
  },
  {
    name: 'row_one_too_long',
    op: 'rms_norm',
    kernels: ['rms_norm.cu'],
    edit: {
      file: 'device/rows.h',
      from: 'if (i < n)\n          f(k, int64_t{i});',
      to: 'if (i <= n)\n          f(k, int64_t{i});',
    },
  },
  {
    name: 'head_too_many',
    op: 'rope',
    kernels: ['rope.cu'],
    edit: { file: 'rope.cu', from: 'head < space.heads; ++head', to: 'head <= space.heads; ++head' },
  },
];

/** Products of float32 alone: the others take a minute to compile and show nothing more. */
function floatProducts() {
  return [
    { file: 'gemm.cu', from: 'HRM_GEMM(BFloat16, BFloat16)\nHRM_GEMM(BFloat16, float)\n', to: '' },
    {
      file: 'linear.cu',
      from:
        'device::dispatch_device_float(call.in[0].dtype, [&](auto tag) {\n' +
        '                                 device::run_linear<typename decltype(tag)::type>(call);\n' +
        '                               });',
      to: 'device::run_linear<float>(call);',
    },
  ];
}

function altered(text, { file, from, to }, name) {
  const found = text.split(from).length - 1;
  if (found !== 1)
    throw new Error(`plant ${name}: expected this once in kernels/${file}, found it ${found} times:\n${from}`);
  return text.replace(from, () => to);
}

function write(file, text) {
  let before = null;
  try {
    before = readFileSync(file, 'utf8');
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  // What has not changed is not compiled again.
  if (before !== text) writeFileSync(file, text);
}

/** Writes the sources to `folder`: one NAME.cpp a plant, its altered headers in NAME/, and plants.cpp, the list. */
export function writePlants(folder) {
  mkdirSync(folder, { recursive: true });
  const known = new Set(['plants.cpp', ...PLANTS.flatMap(({ name }) => [name, `${name}.cpp`])]);
  for (const name of readdirSync(folder))
    if (!known.has(name)) rmSync(path.join(folder, name), { recursive: true, force: true });
  for (const plant of PLANTS) {
    const edits = [...(plant.edit ? [plant.edit] : []), ...(plant.trims ?? [])];
    const textOf = (file) => {
      let text = readFileSync(path.join(rootDir, 'kernels', file), 'utf8');
      for (const edit of edits) if (edit.file === file) text = altered(text, edit, plant.name);
      return text.replaceAll(/extern const GpuOp (\w+) =/g, `extern const GpuOp ${plant.name}_$1 =`);
    };
    for (const file of new Set(edits.map((edit) => edit.file).filter((name) => !plant.kernels.includes(name)))) {
      mkdirSync(path.dirname(path.join(folder, plant.name, file)), { recursive: true });
      write(path.join(folder, plant.name, file), textOf(file));
    }
    const text = [`#define device device_${plant.name}`, ...plant.kernels.map(textOf), '#undef device', ''].join('\n');
    write(path.join(folder, `${plant.name}.cpp`), text);
  }
  const list = [
    '#include "test/native/plants.h"',
    'namespace hrm {',
    'namespace cuda {',
    ...PLANTS.map(({ name, op }) => `extern const GpuOp ${name}_${op};`),
    '} // namespace cuda',
    'const std::vector<test::Plant> &test::plants() {',
    '  static const std::vector<Plant> list = {',
    ...PLANTS.map(({ name, op, edit }) => `      {"${name}", "${op}", cuda::${name}_${op}, ${edit !== undefined}},`),
    '  };',
    '  return list;',
    '}',
    '} // namespace hrm',
  ];
  write(path.join(folder, 'plants.cpp'), `${list.join('\n')}\n`);
}
