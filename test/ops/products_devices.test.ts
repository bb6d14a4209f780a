/** Who computes products on a device (HRM_GEMM, docs/cuda.md): what is wrong with the choice is a typed error. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { expect, it } from '@jest/globals';
import { eachDevice } from '../support/devices';

const index = path.resolve(__dirname, '../../ts/index.js');

/** What a product says in a process of its own: the choice is made once in a process. */
function productWith(device: string, env: NodeJS.ProcessEnv): string {
  const script = `
    const { matmul, tensor } = require(${JSON.stringify(index)});
    const x = tensor([[1, 2], [3, 4]], { device: ${JSON.stringify(device)} });
    try {
      console.log(String(matmul(x, x).dataSync()));
    } catch (error) {
      console.log([error.name, error.code, error.message].join(' '));
    }`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', script], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  expect([status, stderr]).toEqual([0, '']);
  return stdout.trim();
}

eachDevice('products', (device) => {
  it('are our own where that is demanded', () => {
    expect(productWith(device, { HRM_GEMM: 'own' })).toBe('7,10,15,22');
  });

  // The CPU has one way.
  if (device === 'cpu') return;

  it('refuse another HRM_GEMM', () => {
    expect(productWith(device, { HRM_GEMM: 'mine' })).toBe(
      'ArgumentError HRM_ARGUMENT HRM_GEMM: must be own or cublaslt, got mine',
    );
  });

  // On a GPU the library may well be there.
  if (device !== 'simt') return;

  it('say what was looked for where cuBLASLt is demanded and missing', () => {
    const file = '/nowhere/libcublasLt.so';
    expect(productWith(device, { HRM_CUBLASLT: file })).toBe('7,10,15,22');
    const message = productWith(device, { HRM_GEMM: 'cublaslt', HRM_CUBLASLT: file });
    expect(message).toMatch(/^DeviceError HRM_DEVICE HRM_GEMM: cublaslt was not found \(\/nowhere\/libcublasLt\.so: /);
    expect(message).toMatch(/name it in HRM_CUBLASLT, or unset HRM_GEMM$/);
  });
});
