/** Tensors on an accelerator: `npm run test:simt` has one. */
import { pbkdf2 } from 'node:crypto';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import {
  add,
  add_,
  ArgumentError,
  cast,
  copy_,
  DeviceError,
  DTypeError,
  embedding,
  full,
  Generator,
  memory,
  mul,
  noGrad,
  OutOfMemoryError,
  resetPeakMemory,
  sum,
  synchronize,
  tensor,
  tidy,
  transpose,
  zeros,
} from '../../ts/index';
import { addon } from '../../ts/native/boundary';
import { testedDevices } from '../support/devices';

const device = testedDevices()[0]!;
const other = device.startsWith('simt') ? 'cuda' : 'simt';

(device === 'cpu' ? describe.skip : describe)(`tensors on ${device}`, () => {
  it('go there and back, whatever their dtype and layout', async () => {
    const values = [0, 1, 2, 3, 4, 255];
    for (const dtype of ['bool', 'uint8', 'int32', 'bfloat16', 'float32'] as const) {
      const here = tensor(values, { shape: [2, 3], dtype });
      const there = here.to(device);
      expect(there.device).toBe(`${device}:0`);
      expect(there.to('cpu').dataSync()).toEqual(here.dataSync());
      expect(transpose(there, 0, 1).dataSync()).toEqual(transpose(here, 0, 1).dataSync());
      expect(await there.data()).toEqual(here.dataSync());
      expect(there.to(device)).toBe(there);
    }
    expect(zeros([0, 3], { device }).dataSync()).toHaveLength(0);
    expect(zeros([2], { device }).toString()).toContain(`${device}:0`);
  });

  it('keeps what was read before a later write', async () => {
    const t = tensor([1, 2], { device });
    const before = t.data();
    noGrad(() => add_(t, 1));
    expect(Array.from(await before)).toEqual([1, 2]);
    expect(Array.from(t.dataSync())).toEqual([2, 3]);
  });

  it('lets a write go on while a read waits for a thread', async () => {
    const t = tensor([1, 2], { device });
    const begin = performance.now();
    // Nothing else runs on threads meanwhile: there are 4, or as many as this says.
    const n = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4);
    const hash = promisify(pbkdf2);
    const busy = Promise.all(Array.from({ length: n }, () => hash('a', 'b', 300_000, 32, 'sha512')));
    const before = t.data();
    const asked = performance.now();
    copy_(t, tensor([5, 6]));
    const waited = performance.now() - asked;
    await busy;
    expect(waited).toBeLessThan((performance.now() - begin) / 2);
    expect(Array.from(await before)).toEqual([1, 2]);
    expect(Array.from(t.dataSync())).toEqual([5, 6]);
  });

  it('takes numbers and scalars of the CPU, refuses other mixtures', () => {
    const t = tensor([1, 2], { device });
    expect(Array.from(add(t, tensor(3)).dataSync())).toEqual([4, 5]);
    expect(Array.from(mul(2, t).dataSync())).toEqual([2, 4]);
    expect(() => add(t, tensor([1, 2]))).toThrow(DeviceError);
    expect(() => tensor([1], { device: other })).toThrow(DeviceError);
    expect(() => tensor([1], { device: `${device}:63` as 'cuda:63' })).toThrow(DeviceError);
    expect(() => tensor([1], { device: 'gpu' as 'cuda' })).toThrow(ArgumentError);
    expect(() => zeros([1], { device, dtype: 'float64' })).toThrow(DTypeError);
    expect(() => cast(t, 'float64')).toThrow(DTypeError);
    const target = zeros([2], { device });
    expect(Array.from(copy_(target, tensor([5, 6])).dataSync())).toEqual([5, 6]);
  });

  it('sends gradients back over a move', () => {
    const x = tensor([1, 2, 3], { requiresGrad: true });
    const y = x.to(device);
    sum(mul(y, y)).backward();
    expect(x.grad!.device).toBe('cpu');
    expect(Array.from(x.grad!.dataSync())).toEqual([2, 4, 6]);
  });

  it('finds an index out of range when somebody waits, and goes on', () => {
    const weight = full([4, 2], 1, { device });
    const rows = embedding(weight, tensor(Int32Array.of(1, 9), { device }));
    expect(() => {
      synchronize(device);
    }).toThrow(/index_select.*0\.\.3, got 9/);
    expect(Array.from(embedding(weight, tensor(Int32Array.of(3), { device })).dataSync())).toEqual([1, 1]);
    rows.dispose();
  });

  it('accounts for its memory', () => {
    resetPeakMemory(device);
    const { liveBytes } = memory(device);
    const t = zeros([1 << 16], { device });
    expect(memory(device).liveBytes - liveBytes).toBe(4 << 16);
    t.dispose();
    expect(memory(device).liveBytes).toBe(liveBytes);
    expect(memory(device).peakBytes).toBeGreaterThanOrEqual(liveBytes + (4 << 16));
    tidy(() => {
      add(zeros([4], { device }), 1);
    });
    expect(memory(device).liveBytes).toBe(liveBytes);
  });

  it('names its own limit where there is no memory', () => {
    const { limitBytes } = memory(device);
    const refused = new RegExp(`on ${device}:0: \\d+ bytes are live, the memory limit is ${limitBytes} bytes$`);
    expect(() => zeros([limitBytes / 2], { device })).toThrow(refused);
    expect(() => zeros([limitBytes / 2], { device })).toThrow(OutOfMemoryError);
  });

  it('draws the numbers of the CPU', () => {
    const draw = (where: typeof device) => new Generator(7, { device: where }).state.to('cpu').dataSync();
    expect(draw(device)).toEqual(draw('cpu'));
  });
});

(device === 'cpu' ? describe : describe.skip)('an addon without accelerator', () => {
  it('says why there is none', () => {
    const { name, missing } = addon().gpu();
    expect(missing).not.toBeNull();
    if (name === null) expect(() => tensor([1], { device: 'cuda' })).toThrow(/no CUDA backend/);
    expect(() => tensor([1], { device: 'cuda' })).toThrow(DeviceError);
  });
});
