import type { DataArray, DType } from './dtype';

interface Printable {
  readonly isDisposed: boolean;
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly device: string;
  readonly requiresGrad: boolean;
  readonly producer: { readonly op: string } | undefined;
  dataSync(): DataArray;
}

const EDGE_ITEMS = 3;
const MAX_FULL_SIZE = 1000;

function formatNumber(value: number, dtype: DType): string {
  if (dtype === 'bool') return value === 0 ? 'false' : 'true';
  if (dtype === 'int32' || dtype === 'uint8' || !Number.isFinite(value)) return String(value);
  const magnitude = Math.abs(value);
  if (magnitude !== 0 && (magnitude < 1e-4 || magnitude >= 1e6)) return value.toExponential(4);
  return value.toFixed(4);
}

/** Values (the middle of large tensors left out), shape, dtype, device and gradient, as PyTorch prints them. */
export function formatTensor(tensor: Printable): string {
  if (tensor.isDisposed) return 'tensor(disposed)';
  const { shape, dtype } = tensor;
  const data = tensor.dataSync();
  const shorten = data.length > MAX_FULL_SIZE;

  const shown = (size: number): (number | undefined)[] => {
    const all = Array.from({ length: shorten && size > 2 * EDGE_ITEMS ? 2 * EDGE_ITEMS : size }, (_, i) => i);
    if (!shorten || size <= 2 * EDGE_ITEMS) return all;
    return [...all.slice(0, EDGE_ITEMS), undefined, ...all.slice(EDGE_ITEMS).map((i) => size - 2 * EDGE_ITEMS + i)];
  };
  const cells = (dim: number, offset: number): string[] => {
    if (dim === shape.length) return [formatNumber(data[offset] ?? 0, dtype)];
    const stride = shape.slice(dim + 1).reduce((product, n) => product * n, 1);
    return shown(shape[dim] ?? 0).flatMap((i) => (i === undefined ? [] : cells(dim + 1, offset + i * stride)));
  };
  const width = Math.max(0, ...cells(0, 0).map((text) => text.length));

  const render = (dim: number, offset: number, indent: string): string => {
    if (dim === shape.length) return formatNumber(data[offset] ?? 0, dtype).padStart(shape.length > 0 ? width : 0);
    const stride = shape.slice(dim + 1).reduce((product, n) => product * n, 1);
    const last = dim === shape.length - 1;
    const items = shown(shape[dim] ?? 0).map((i) =>
      i === undefined ? '...' : render(dim + 1, offset + i * stride, `${indent} `),
    );
    const separator = last ? ', ' : `,${'\n'.repeat(shape.length - 1 - dim)}${indent} `;
    return `[${items.join(separator)}]`;
  };
  const parts = [render(0, 0, ' '.repeat(7)), `shape=[${shape.join(', ')}]`, dtype, tensor.device];
  if (tensor.producer) parts.push(`grad=${tensor.producer.op}`);
  else if (tensor.requiresGrad) parts.push('requiresGrad');
  return `tensor(${parts.join(', ')})`;
}
