/** Where tensors live. */
import { ArgumentError, DeviceError } from '../error';
import { addon } from './boundary';

/**
 * `cpu`; `cuda` (the first) or `cuda:1`; in the tests' addon `simt`, the CUDA backend over simulated threads. Tensors name
 * theirs with its number.
 */
export type Device = 'cpu' | `${'cuda' | 'simt'}${'' | `:${number}`}`;

/** The number by which native code knows a device: 0 is the CPU, n + 1 the accelerator of index n. */
export type DeviceCode = number;

/** @throws ArgumentError for what is no device, DeviceError for one that is not there */
export function deviceCode(device: unknown, op: string): DeviceCode {
  if (device === undefined || device === 'cpu') return 0;
  const [, kind, index = '0'] = (typeof device === 'string' && /^(cuda|simt)(?::(\d{1,2}))?$/.exec(device)) || [];
  if (kind === undefined)
    throw new ArgumentError(
      `${op}: device must be 'cpu', 'cuda' or 'cuda:<index>', got ${typeof device === 'string' ? JSON.stringify(device.slice(0, 60)) : `a ${typeof device}`}`,
    );
  const { name, count, missing } = addon().gpu();
  if (name !== kind || Number(index) >= count) {
    const why = name === kind && count > 0 ? `there are only ${count} devices` : (missing ?? `this addon has ${name}`);
    throw new DeviceError(`${op}: no device ${device as string}: ${why}`);
  }
  return Number(index) + 1;
}

export function deviceName(code: DeviceCode): Device {
  return code === 0 ? 'cpu' : (`${addon().gpu().name!}:${code - 1}` as Device);
}
