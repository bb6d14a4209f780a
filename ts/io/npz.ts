import { zipSync } from 'fflate';
import { ArgumentError, FormatError } from '../error';
import {
  allocating,
  describe,
  requireBytes,
  requireInteger,
  requireMap,
  readOptions,
  requireString,
} from './arguments';
import { encodeNpy, parseNpy, type NpyArray } from './npy';
import { requireRawArray, type RawArray } from './raw_array';
import { readZip, unsafeName } from './zip';

const SUFFIX = '.npy';
const DEFAULT_MAX_BYTES = 4 * 2 ** 30;
const MAX_ENTRIES = 65_534;
const MAX_NAME_BYTES = 65_535;
/** Headers of an entry in both places, without its name. */
const ENTRY_OVERHEAD_BYTES = 76;
const END_BYTES = 22;
/** Fixed, so that equal arrays give equal files; the earliest a zip can say. */
const MODIFIED = new Date(1980, 0, 1);

/**
 * Parses a numpy .npz archive, stored (numpy.savez) or deflated (numpy.savez_compressed), into its arrays by name.
 * See readZip for what is refused, and parseNpy for the dtypes.
 * @param what names the file in error messages
 * @param options.maxBytes largest sum of inflated sizes, 4 GiB by default; checked before anything is inflated
 * @throws FormatError where the archive or an array in it is malformed
 */
export function parseNpz(
  bytes: Uint8Array,
  what: string,
  options: { readonly maxBytes?: number } = {},
): Map<string, NpyArray> {
  const op = 'parseNpz';
  const label = requireString(op, 'what', what);
  const file = requireBytes(op, 'bytes', bytes);
  const { maxBytes = DEFAULT_MAX_BYTES } = readOptions(op, options, ['maxBytes']);
  const limits = { maxBytes: requireInteger(op, 'maxBytes', maxBytes, 0, Number.MAX_SAFE_INTEGER) };
  const fail = (message: string): never => {
    throw new FormatError(`${op}: ${label}: ${message}`);
  };
  const arrays = new Map<string, NpyArray>();
  for (const entry of readZip(file, limits, fail)) {
    if (!entry.name.endsWith(SUFFIX)) fail(`entry ${describe(entry.name)}: the name must end in ${SUFFIX}`);
    const content = allocating(op, () => entry.read());
    arrays.set(entry.name.slice(0, -SUFFIX.length), parseNpy(content, `${label}: entry ${describe(entry.name)}`));
  }
  return arrays;
}

/**
 * Encodes arrays as a numpy .npz archive.
 * @param options.compress deflate, as numpy.savez_compressed; off by default
 * @throws ArgumentError where a name or array is invalid or the archive would pass 4 GiB; DTypeError for bfloat16
 */
export function encodeNpz(
  arrays: ReadonlyMap<string, RawArray>,
  options: { readonly compress?: boolean } = {},
): Uint8Array {
  const op = 'encodeNpz';
  const { compress = false } = readOptions(op, options, ['compress']);
  if (typeof compress !== 'boolean')
    throw new ArgumentError(`${op}: compress must be a boolean, got ${describe(compress)}`);
  const files: Record<string, Uint8Array> = {};
  let nBytes = END_BYTES;
  for (const [key, value] of requireMap(op, 'arrays', arrays)) {
    const name = `${requireString(op, 'an array name', key)}${SUFFIX}`;
    const problem = unsafeName(name);
    if (problem !== undefined) throw new ArgumentError(`${op}: an array name must ${problem}, got ${describe(key)}`);
    const nameBytes = Buffer.byteLength(name);
    if (nameBytes > MAX_NAME_BYTES) {
      throw new ArgumentError(
        `${op}: an array name must have at most ${MAX_NAME_BYTES - SUFFIX.length} bytes, got ${nameBytes}`,
      );
    }
    const file = encodeNpy(requireRawArray(op, `array ${describe(key)}`, value));
    nBytes += ENTRY_OVERHEAD_BYTES + 2 * nameBytes + file.length;
    files[name] = file;
  }
  const count = Object.keys(files).length;
  if (count > MAX_ENTRIES) throw new ArgumentError(`${op}: at most ${MAX_ENTRIES} arrays fit, got ${count}`);
  if (nBytes >= 2 ** 32)
    throw new ArgumentError(`${op}: an archive must be under 4 GiB, got ${nBytes} bytes; use safetensors`);
  return allocating(op, () => zipSync(files, { level: compress ? 6 : 0, mtime: MODIFIED }));
}
