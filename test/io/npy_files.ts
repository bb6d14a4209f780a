export interface NpyLayout {
  version?: readonly [number, number];
  /** Declared header length; the true one if absent. */
  length?: number;
}

/** An npy file with the given header text (newline added where there is none) and data bytes. */
export function npy(
  header: string,
  data: Uint8Array | number[] = [],
  { version = [1, 0], length }: NpyLayout = {},
): Uint8Array {
  const text = Buffer.from(header.endsWith('\n') ? header : `${header}\n`, 'latin1');
  const declared = length ?? text.length;
  const prefix = Buffer.alloc(version[0] === 1 ? 10 : 12);
  prefix.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, ...version]);
  if (version[0] === 1) prefix.writeUInt16LE(declared, 8);
  else prefix.writeUInt32LE(declared, 8);
  return Uint8Array.from(Buffer.concat([prefix, text, Uint8Array.from(data)]));
}

/** The header text of an npy file. */
export const dict = (descr: string, shape: string, fortran = 'False'): string =>
  `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }`;
