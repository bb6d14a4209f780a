/**
 * TensorBoard event files: TFRecord framing (length, masked CRC32C of it, data, masked CRC32C of it) around the few
 * fields of the `Event` message that scalars need, encoded by hand.
 * Source: tensorflow/core/util/event.proto and summary.proto, lib/io/record_writer.h.
 */
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';
import { makeDirectories, onFile } from '../io/files';

const CASTAGNOLI_REVERSED = 0x82f63b78;

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ CASTAGNOLI_REVERSED : crc >>> 1;
  return crc;
});

/** CRC-32C (Castagnoli) of the bytes, as an unsigned 32-bit integer. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = crcTable[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** TFRecord's masking, so that a CRC of data that holds CRCs stays useful. */
export function maskedCrc32c(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** One TFRecord around `data`. */
export function tfRecord(data: Uint8Array): Buffer {
  const record = Buffer.alloc(8 + 4 + data.length + 4);
  record.writeBigUInt64LE(BigInt(data.length), 0);
  record.writeUInt32LE(maskedCrc32c(record.subarray(0, 8)), 8);
  record.set(data, 12);
  record.writeUInt32LE(maskedCrc32c(data), 12 + data.length);
  return record;
}

// Protocol buffer wire types.
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

function varint(value: number): Buffer {
  const bytes: number[] = [];
  // Division rather than shifts: steps go beyond 32 bits.
  for (; value >= 0x80; value = Math.floor(value / 0x80)) bytes.push((value % 0x80) | 0x80);
  bytes.push(value);
  return Buffer.from(bytes);
}

const tag = (field: number, wireType: number): Buffer => varint(field * 8 + wireType);

const intField = (field: number, value: number): Buffer => Buffer.concat([tag(field, VARINT), varint(value)]);

const bytesField = (field: number, bytes: Uint8Array): Buffer =>
  Buffer.concat([tag(field, BYTES), varint(bytes.length), bytes]);

const textField = (field: number, text: string): Buffer => bytesField(field, Buffer.from(text, 'utf8'));

function doubleField(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([tag(field, FIXED64), bytes]);
}

function floatField(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return Buffer.concat([tag(field, FIXED32), bytes]);
}

// Field numbers of Event, Summary, Summary.Value and SessionLog.
const EVENT = { wallTime: 1, step: 2, fileVersion: 3, summary: 5, sessionLog: 7 };
const SUMMARY_VALUE = 1;
const VALUE = { tag: 1, simpleValue: 2 };
const SESSION_STATUS = 1;
const SESSION_START = 1;

/** Seconds since 1970. */
type Seconds = number;

export const versionEvent = (wallTime: Seconds): Buffer =>
  Buffer.concat([doubleField(EVENT.wallTime, wallTime), textField(EVENT.fileVersion, 'brain.Event:2')]);

/** Makes TensorBoard forget every event of earlier files at `step` and after. */
export const sessionStartEvent = (wallTime: Seconds, step: number): Buffer =>
  Buffer.concat([
    doubleField(EVENT.wallTime, wallTime),
    intField(EVENT.step, step),
    bytesField(EVENT.sessionLog, intField(SESSION_STATUS, SESSION_START)),
  ]);

/** Scalars of one step; values are stored as float32. */
export function scalarsEvent(wallTime: Seconds, step: number, scalars: Readonly<Record<string, number>>): Buffer {
  const values = Object.entries(scalars).map(([name, value]) =>
    bytesField(SUMMARY_VALUE, Buffer.concat([textField(VALUE.tag, name), floatField(VALUE.simpleValue, value)])),
  );
  return Buffer.concat([
    doubleField(EVENT.wallTime, wallTime),
    intField(EVENT.step, step),
    bytesField(EVENT.summary, Buffer.concat(values)),
  ]);
}

/** An event file being written. A resumed run writes a new file, which TensorBoard reads after the older ones. */
export class EventFile {
  readonly file: string;
  private fd: number | null;

  /** @param resumeStep the last step that the resumed checkpoint contains; events after it are purged */
  constructor(
    dir: string,
    resumeStep: number | null = null,
    private readonly now: () => Seconds = () => Date.now() / 1000,
  ) {
    onFile('tensorboard', dir, 'create', () => makeDirectories(dir));
    [this.file, this.fd] = openNew(dir, Math.floor(now()));
    this.append(versionEvent(now()));
    if (resumeStep !== null) this.append(sessionStartEvent(now(), resumeStep + 1));
  }

  scalars(step: number, scalars: Readonly<Record<string, number>>): void {
    this.append(scalarsEvent(this.now(), step, scalars));
  }

  private append(event: Buffer): void {
    if (this.fd !== null) writeSync(this.fd, tfRecord(event));
  }

  sync(): void {
    if (this.fd !== null) fsyncSync(this.fd);
  }

  close(): void {
    if (this.fd !== null) closeSync(this.fd);
    this.fd = null;
  }
}

// TensorBoard reads files in the order of their names; two runs may begin in the same second.
function openNew(dir: string, seconds: number): [file: string, fd: number] {
  for (let index = 0; ; index++) {
    const name = `events.out.tfevents.${String(seconds).padStart(10, '0')}.${String(index).padStart(4, '0')}.hrm`;
    const file = path.join(dir, name);
    try {
      return [file, openSync(file, 'wx')];
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}
