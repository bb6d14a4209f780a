import { appendFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { metricsLine } from '../../ts/train/metrics';
import { MetricsTail } from '../../ts/viz/metrics_tail';
import { withDirectory } from '../support/tiny_run';

const line = (step: number, loss = 1): string => metricsLine({ step, kind: 'train', values: { loss, accuracy: null } });

function withTail(body: (tail: MetricsTail, file: string) => void): Promise<void> {
  return withDirectory((dir) => {
    const file = path.join(dir, 'metrics.jsonl');
    body(new MetricsTail(file), file);
  });
}

describe('MetricsTail', () => {
  it('has nothing before there is a file, then every line as it comes', () =>
    withTail((tail, file) => {
      tail.read();
      expect(tail.lines).toEqual([]);
      writeFileSync(file, line(1) + line(2));
      tail.read();
      appendFileSync(file, metricsLine({ step: 2, kind: 'eval', split: 'valid', values: { exactAccuracy: 0.5 } }));
      tail.read();
      expect(tail.lines).toEqual([
        { step: 1, kind: 'train', values: { accuracy: null, loss: 1 } },
        { step: 2, kind: 'train', values: { accuracy: null, loss: 1 } },
        { step: 2, kind: 'eval', split: 'valid', values: { exactAccuracy: 0.5 } },
      ]);
      expect(tail.generation).toBe(0);
    }));

  it('waits for the rest of a line', () =>
    withTail((tail, file) => {
      const second = line(2);
      writeFileSync(file, line(1) + second.slice(0, 9));
      tail.read();
      expect(tail.lines).toHaveLength(1);
      appendFileSync(file, second.slice(9));
      tail.read();
      expect(tail.lines.map(({ step }) => step)).toEqual([1, 2]);
      expect(tail.nBad).toBe(0);
    }));

  it('begins anew where the file was cut, cut and written on, or removed', () =>
    withTail((tail, file) => {
      writeFileSync(file, line(1) + line(2) + line(3));
      tail.read();
      truncateSync(file, line(1).length);
      tail.read();
      expect([tail.generation, tail.lines.length]).toEqual([1, 1]);
      // As long as before, with other content.
      writeFileSync(file, line(1) + line(2, 7) + line(3));
      tail.read();
      writeFileSync(file, line(1) + line(2, 8) + line(3));
      tail.read();
      expect(tail.generation).toBe(2);
      expect(tail.lines.map(({ values }) => values['loss'])).toEqual([1, 8, 1]);
      rmSync(file);
      tail.read();
      expect([tail.generation, tail.lines.length]).toEqual([3, 0]);
    }));

  it('counts lines that are no metrics and goes on behind them', () =>
    withTail((tail, file) => {
      const bad = ['{', '[]', 'null', '{"step":1.5,"kind":"train"}', '{"step":1}', '{"step":1,"kind":"x","split":3}'];
      writeFileSync(file, `${bad.join('\n')}\n\n{"step":1,"kind":"${'x'.repeat(70_000)}"}\n${line(4)}`);
      tail.read();
      expect(tail.nBad).toBe(bad.length + 1);
      expect(tail.lines.map(({ step }) => step)).toEqual([4]);
    }));

  it('reads a file that is larger than one read in several', () =>
    withTail((tail, file) => {
      const n = 120_000;
      writeFileSync(file, Array.from({ length: n }, (_, i) => line(i)).join(''));
      tail.read();
      expect(tail.lines.length).toBeLessThan(n);
      tail.read();
      expect(tail.lines).toHaveLength(n);
      expect(tail.lines.at(-1)!.step).toBe(n - 1);
    }));

  it('refuses what is no regular file', () =>
    withDirectory((dir) => {
      expect(() => new MetricsTail(dir).read()).toThrow(/must be a regular file/);
    }));
});
