/** Tensors of a checkpoint to and from the bytes of a safetensors file. */
import { FormatError } from '../error';
import { parseSafetensors, safetensorsChunks } from '../io/safetensors';
import { fromRawArray, toRawArray } from '../io/tensors';
import type { Tensor } from '../tensor/tensor';

/** Tensors as the chunks of a safetensors file, each name with a prefix. */
export function encodeTensors(tensors: ReadonlyMap<string, Tensor>, prefix = ''): Iterable<Uint8Array> {
  return safetensorsChunks(new Map([...tensors].map(([name, item]) => [prefix + name, toRawArray(item)])));
}

/** The tensors of a safetensors file; the caller owns them. @throws FormatError */
export function decodeTensors(bytes: Uint8Array, what: string): Map<string, Tensor> {
  return new Map([...parseSafetensors(bytes, what).tensors].map(([name, array]) => [name, fromRawArray(array, what)]));
}

/** The tensor under a name. @throws FormatError where it is missing */
export function requireTensor(tensors: ReadonlyMap<string, Tensor>, name: string, what: string): Tensor {
  const found = tensors.get(name);
  if (found === undefined) throw new FormatError(`${what}: must hold the tensor ${name}`);
  return found;
}

/** Those whose names begin with a prefix, without it. */
export function withPrefix(tensors: ReadonlyMap<string, Tensor>, prefix: string): Map<string, Tensor> {
  const found = new Map<string, Tensor>();
  for (const [name, item] of tensors) if (name.startsWith(prefix)) found.set(name.slice(prefix.length), item);
  return found;
}
