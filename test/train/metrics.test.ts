import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ArgumentError, FormatError } from '../../ts/error';
import { metricsLine, MetricsWriter } from '../../ts/train/metrics';

const root = mkdtempSync(path.join(tmpdir(), 'hrm-metrics-'));
afterAll(() => rmSync(root, { recursive: true }));
let nDirs = 0;
const freshDir = (): string => path.join(root, String(nDirs++));
const read = (dir: string, name = 'metrics.jsonl'): string => readFileSync(path.join(dir, name), 'utf8');
const record = (step: number) => ({ step, kind: 'train', values: { loss: 1 / (step + 1), accuracy: step / 7 } });

describe('metricsLine', () => {
  it('orders keys and writes NaN as null', () => {
    const values = { loss: 0.1, accuracy: NaN, count: null };
    expect(metricsLine({ kind: 'eval', step: 3, split: 'test', values })).toBe(
      '{"step":3,"kind":"eval","split":"test","accuracy":null,"count":null,"loss":0.1}\n',
    );
  });

  it('does not depend on the order of the values', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ minLength: 6 }), fc.float({ noNaN: true, noDefaultInfinity: true })),
        (values) => {
          const reversed = Object.fromEntries(Object.entries(values).reverse());
          const line = metricsLine({ step: 1, kind: 'train', values });
          expect(metricsLine({ step: 1, kind: 'train', values: reversed })).toBe(line);
          expect(line.indexOf('\n')).toBe(line.length - 1);
        },
      ),
    );
  });

  it('refuses what a reader could not trust', () => {
    expect(() => metricsLine({ step: -1, kind: 'train', values: {} })).toThrow(ArgumentError);
    expect(() => metricsLine({ step: 0.5, kind: 'train', values: {} })).toThrow(ArgumentError);
    expect(() => metricsLine({ step: 1, kind: 'train', values: { loss: Infinity } })).toThrow(/loss must be finite/);
    expect(() => metricsLine({ step: 1, kind: 'train', values: { step: 2 } })).toThrow(/field of every line/);
  });
});

describe('MetricsWriter', () => {
  it('is byte-equal after a resume, whatever was written past the checkpoint', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 12 }),
        fc.integer({ min: 0, max: 12 }),
        fc.string(),
        (saved, more, torn) => {
          const whole = new MetricsWriter(freshDir(), { tensorboard: false });
          for (let step = 1; step <= 20; step++) whole.write(record(step));
          whole.close();

          const dir = freshDir();
          const killed = new MetricsWriter(dir, { tensorboard: false });
          for (let step = 1; step <= saved; step++) killed.write(record(step));
          const nBytes = killed.sync();
          for (let step = saved + 1; step <= saved + more; step++) killed.write(record(step));
          killed.close();
          appendFileSync(path.join(dir, 'metrics.jsonl'), torn);

          const resumed = new MetricsWriter(dir, { tensorboard: false, resume: { step: saved, nBytes } });
          for (let step = saved + 1; step <= 20; step++) resumed.write(record(step));
          resumed.close();
          expect(read(dir)).toBe(read(whole.dir));
        },
      ),
      { numRuns: 40 },
    );
  });

  it('keeps wall-clock figures in a file of their own', () => {
    const dir = freshDir();
    const writer = new MetricsWriter(dir, { now: () => 5, tensorboard: true });
    writer.write(record(1));
    writer.timing({ step: 1, msPerStep: 2.5 });
    writer.close();
    writer.close();
    expect(read(dir)).toBe(metricsLine(record(1)));
    expect(read(dir, 'timing.jsonl')).toBe(
      '{"event":"start","step":0,"unixSeconds":5}\n{"step":1,"msPerStep":2.5,"unixSeconds":5}\n',
    );
    expect(readdirSync(path.join(dir, 'tensorboard'))).toHaveLength(1);
  });

  it('counts bytes, not characters', () => {
    const writer = new MetricsWriter(freshDir(), { tensorboard: false });
    writer.write({ step: 1, kind: 'trän', values: { λ: 1 } });
    expect(writer.sync()).toBe(Buffer.byteLength(read(writer.dir)));
    writer.close();
  });

  it('refuses to mix runs or to resume from a damaged file', () => {
    const dir = freshDir();
    const writer = new MetricsWriter(dir, { tensorboard: false });
    writer.write(record(1));
    const nBytes = writer.sync();
    writer.close();
    const file = path.join(dir, 'metrics.jsonl');
    expect(() => new MetricsWriter(dir)).toThrow(/already holds a run/);
    truncateSync(file, nBytes - 1);
    expect(() => new MetricsWriter(dir, { resume: { step: 1, nBytes } })).toThrow(FormatError);
    writeFileSync(file, 'x'.repeat(nBytes + 5));
    expect(() => new MetricsWriter(dir, { resume: { step: 1, nBytes } })).toThrow(/no line ends there/);
    expect(() => new MetricsWriter(freshDir(), { resume: { step: 1, nBytes } })).toThrow(/must exist to resume/);
  });
});
