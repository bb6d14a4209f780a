import { crc32, deflateRawSync } from 'node:zlib';

/** One entry of a hand-made archive; what is absent gets its true value in both headers. */
export interface ZipPart {
  name: string;
  data: Uint8Array;
  method?: number;
  flags?: number;
  version?: number;
  crc?: number;
  nBytes?: number;
  storedBytes?: number;
  offset?: number;
  disk?: number;
  /** Bytes as they lie in the archive, compressed or not. */
  stored?: Uint8Array;
  /** Overrides for the local header only. */
  local?: { name?: string; method?: number; flags?: number; crc?: number; nBytes?: number; storedBytes?: number };
  localSignature?: number;
  localExtra?: Uint8Array;
  /** What follows the data, such as a descriptor. */
  after?: Uint8Array;
}

export interface ZipEnd {
  count?: number;
  countOnDisk?: number;
  disk?: number;
  directoryBytes?: number;
  directoryOffset?: number;
  comment?: string;
  /** Bytes between the directory's records and the end record. */
  beforeEnd?: Uint8Array;
  /** Bytes between the last entry and the directory. */
  beforeDirectory?: Uint8Array;
}

/** Little-endian fields, each [bytes, value]. */
export function fields(...parts: readonly (readonly [1 | 2 | 4 | 8, number])[]): Buffer {
  return Buffer.concat(
    parts.map(([size, value]) => {
      const out = Buffer.alloc(8);
      out.writeBigUInt64LE(BigInt(value));
      return out.subarray(0, size);
    }),
  );
}

/** Builds a zip archive, right by default and wrong as asked. */
export function zip(parts: readonly ZipPart[], end: ZipEnd = {}): Uint8Array {
  const body: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  for (const part of parts) {
    const { method = 0, flags = 0, data } = part;
    const stored = part.stored ?? (method === 8 ? deflateRawSync(data) : data);
    const crc = part.crc ?? crc32(data);
    const storedBytes = part.storedBytes ?? stored.length;
    const nBytes = part.nBytes ?? data.length;
    const name = Buffer.from(part.name, 'utf8');
    const local = { name: part.name, method, flags, crc, nBytes, storedBytes, ...part.local };
    const localName = Buffer.from(local.name, 'utf8');
    const extra = part.localExtra ?? new Uint8Array(0);
    const chunk = Buffer.concat([
      fields([4, part.localSignature ?? 0x04034b50], [2, part.version ?? 20], [2, local.flags], [2, local.method]),
      fields([2, 0], [2, 0x21], [4, local.crc], [4, local.storedBytes], [4, local.nBytes]),
      fields([2, localName.length], [2, extra.length]),
      localName,
      extra,
      stored,
      part.after ?? new Uint8Array(0),
    ]);
    directory.push(
      fields([4, 0x02014b50], [2, 20], [2, part.version ?? 20], [2, flags], [2, method], [2, 0], [2, 0x21], [4, crc]),
      fields([4, storedBytes], [4, nBytes], [2, name.length], [2, 0], [2, 0], [2, part.disk ?? 0], [2, 0], [4, 0]),
      fields([4, part.offset ?? at]),
      name,
    );
    body.push(chunk);
    at += chunk.length;
  }
  if (end.beforeDirectory) body.push(end.beforeDirectory);
  const before = Buffer.concat(body);
  const records = Buffer.concat([...directory, end.beforeEnd ?? new Uint8Array(0)]);
  const comment = Buffer.from(end.comment ?? '');
  const count = end.count ?? parts.length;
  return Uint8Array.from(
    Buffer.concat([
      before,
      records,
      fields([4, 0x06054b50], [2, end.disk ?? 0], [2, end.disk ?? 0], [2, end.countOnDisk ?? count], [2, count]),
      fields([4, end.directoryBytes ?? records.length], [4, end.directoryOffset ?? before.length]),
      fields([2, comment.length]),
      comment,
    ]),
  );
}
