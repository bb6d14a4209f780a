import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { crc32c, EventFile, maskedCrc32c, scalarsEvent, tfRecord } from '../../ts/train/tensorboard';

const dir = mkdtempSync(path.join(tmpdir(), 'hrm-events-'));
afterAll(() => rmSync(dir, { recursive: true }));

// A reader written against the formats, independent of the writer: bit-by-bit CRC, generic protocol buffer fields.
function slowCrc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    for (let bit = 0; bit < 8; bit++) {
      const low = (crc ^ (byte >> bit)) & 1;
      crc = (crc >>> 1) ^ (low ? 0x82f63b78 : 0);
    }
  }
  return (crc ^ 0xffffffff) >>> 0;
}

function readRecords(bytes: Buffer): Buffer[] {
  const unmask = (masked: number): number => {
    const rotated = (masked - 0xa282ead8) >>> 0;
    return ((rotated >>> 17) | (rotated << 15)) >>> 0;
  };
  const records: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = Number(bytes.readBigUInt64LE(at));
    expect(unmask(bytes.readUInt32LE(at + 8))).toBe(slowCrc32c(bytes.subarray(at, at + 8)));
    const data = bytes.subarray(at + 12, at + 12 + length);
    expect(unmask(bytes.readUInt32LE(at + 12 + length))).toBe(slowCrc32c(data));
    records.push(data);
    at += 16 + length;
  }
  return records;
}

type Fields = Map<number, (number | Buffer)[]>;

function readFields(bytes: Buffer): Fields {
  const fields: Fields = new Map();
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    let value: number | Buffer;
    if ((key & 7) === 0) value = varint();
    else if ((key & 7) === 1) value = bytes.readDoubleLE((at += 8) - 8);
    else if ((key & 7) === 5) value = bytes.readFloatLE((at += 4) - 4);
    else {
      const length = varint();
      value = bytes.subarray(at, (at += length));
    }
    fields.set(key >> 3, [...(fields.get(key >> 3) ?? []), value]);
  }
  expect(at).toBe(bytes.length);
  return fields;
}

function readScalars(event: Fields): Record<string, number> {
  const summary = readFields(event.get(5)![0] as Buffer);
  return Object.fromEntries(
    (summary.get(1) as Buffer[]).map((bytes) => {
      const value = readFields(bytes);
      return [(value.get(1)![0] as Buffer).toString(), value.get(2)![0] as number];
    }),
  );
}

describe('crc32c', () => {
  it('gives the published check values', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    // The header of every TensorBoard file that starts with a 24-byte version event.
    const length = Buffer.from([24, 0, 0, 0, 0, 0, 0, 0]);
    expect(maskedCrc32c(length)).toBe(0x224b7fa3);
  });

  it('agrees with the bitwise definition', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => expect(crc32c(bytes)).toBe(slowCrc32c(bytes))));
  });
});

describe('event files', () => {
  it('hold what was written, for any scalars and step', () => {
    const scalars = fc.dictionary(fc.string(), fc.float({ noNaN: true }));
    fc.assert(
      fc.property(scalars, fc.maxSafeNat(), (values, step) => {
        const [data] = readRecords(tfRecord(scalarsEvent(1.5, step, values)));
        const event = readFields(data!);
        expect(event.get(1)).toEqual([1.5]);
        expect(event.get(2)).toEqual([step]);
        if (Object.keys(values).length > 0) expect(readScalars(event)).toEqual({ ...values });
      }),
    );
  });

  it('start with the version, and on resume purge what comes after the checkpoint', () => {
    let time = 1_700_000_000;
    const first = new EventFile(dir, null, () => time);
    first.scalars(7, { 'train/loss': 0.5, 'train/lr': 0.25 });
    first.close();
    first.close();
    time += 0.5;
    const second = new EventFile(dir, 3, () => time);
    second.scalars(4, { 'train/loss': 0.75 });
    second.sync();
    second.close();
    const names = readdirSync(dir).sort();
    expect(names).toEqual([path.basename(first.file), path.basename(second.file)]);
    expect(names.every((name) => name.includes('tfevents'))).toBe(true);

    const [version, scalars] = readRecords(readFileSync(first.file)).map(readFields);
    expect(version!.get(3)!.map(String)).toEqual(['brain.Event:2']);
    expect(scalars!.get(2)).toEqual([7]);
    expect(readScalars(scalars!)).toEqual({ 'train/loss': 0.5, 'train/lr': 0.25 });

    const resumed = readRecords(readFileSync(second.file)).map(readFields);
    expect(resumed[0]!.get(3)!.map(String)).toEqual(['brain.Event:2']);
    expect(resumed[1]!.get(2)).toEqual([4]);
    expect(readFields(resumed[1]!.get(7)![0] as Buffer).get(1)).toEqual([1]);
    expect(readScalars(resumed[2]!)).toEqual({ 'train/loss': 0.75 });
  });
});
