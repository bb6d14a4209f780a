import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { renderCurve, sparkline } from '../../ts/train/curve';
import { formatDuration, formatRate, Progress, renderBar } from '../../ts/train/progress';

class FakeStream {
  text = '';
  constructor(
    readonly isTTY: boolean,
    readonly columns?: number,
  ) {}
  write(text: string): void {
    this.text += text;
  }
}

describe('formats', () => {
  it('writes durations and rates', () => {
    expect([0, 59.6, 245, 3723, 277500, NaN, Infinity, -1].map(formatDuration)).toEqual([
      '0:00',
      '1:00',
      '4:05',
      '1:02:03',
      '3d 05:05',
      '?',
      '?',
      '?',
    ]);
    expect([12.34, 0.25, 0, NaN].map(formatRate)).toEqual(['12.3 it/s', '4.0 s/it', '? it/s', '? it/s']);
  });

  it('fills a bar in eighths', () => {
    expect(renderBar(0, 4)).toBe('░░░░');
    expect(renderBar(0.5, 4)).toBe('██░░');
    expect(renderBar(0.53125, 4)).toBe('██▏░');
    expect(renderBar(1, 4)).toBe('████');
    fc.assert(
      fc.property(fc.double(), fc.integer({ min: 1, max: 60 }), (share, width) =>
        expect(renderBar(share, width)).toHaveLength(width),
      ),
    );
  });
});

describe('Progress', () => {
  const run = (stream: FakeStream, nSteps: number): void => {
    let ms = 0;
    const progress = new Progress({ totalSteps: nSteps, everySteps: 5, stream, now: () => ms });
    for (let step = 1; step <= nSteps; step++) {
      ms += 250;
      progress.update({ step, loss: 1.23456, exactAccuracy: step / nSteps });
      if (step === 3) progress.note('saved');
    }
    progress.end();
  };

  it('writes plain lines where there is no terminal', () => {
    const stream = new FakeStream(false);
    run(stream, 10);
    expect(stream.text).toBe(
      'saved\n' +
        'step 5/10  loss 1.235  exact 50.0%  4.0 it/s  eta 0:01\n' +
        'step 10/10  loss 1.235  exact 100.0%  4.0 it/s  eta 0:00\n',
    );
  });

  it('keeps within the terminal and ends on a new line', () => {
    for (const columns of [1, 10, 40, 60, 200]) {
      const stream = new FakeStream(true, columns);
      run(stream, 10);
      expect(stream.text.endsWith('\n')).toBe(true);
      expect(stream.text).toContain('saved\n');
      const lines = stream.text.replace(/\u001b\[K/g, '').split(/[\r\n]/);
      const widest = Math.max(...lines.filter((line) => line !== 'saved').map((line) => line.length));
      expect(widest).toBeLessThanOrEqual(Math.max(1, columns - 1));
    }
  });

  it('gives the bar only the room that the figures leave', () => {
    for (let columns = 60; columns <= 120; columns++) {
      const stream = new FakeStream(true, columns);
      run(stream, 10);
      expect(stream.text).toContain('eta 0:00\u001b[K\n');
    }
  });

  it('does not redraw faster than anyone can read', () => {
    const stream = new FakeStream(true, 80);
    let ms = 0;
    const progress = new Progress({ totalSteps: 1000, stream, now: () => ms });
    for (let step = 1; step <= 999; step++) {
      ms += 1;
      progress.update({ step });
    }
    expect(stream.text.split('\r').length - 1).toBe(10);
  });
});

describe('curves', () => {
  it('marks levels', () => expect(sparkline([0, 0.5, 1, NaN, 2])).toBe('▁▅█ █'));

  it('draws a rising line from the bottom left to the top right', () => {
    const points = Array.from({ length: 11 }, (_, i) => ({ step: i * 10, value: i / 10 }));
    const drawing = renderCurve(points, { width: 26, height: 4, title: 'exact' });
    expect(drawing.split('\n')).toEqual([
      'exact',
      '100% ┤⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⣀⡠⠤⠒⠉',
      ' 67% ┤⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⣀⡠⠔⠒⠉',
      '     ┤⠀⠀⠀⠀⠀⣀⠤⠔⠊⠉',
      '  0% ┤⣀⠤⠒⠊⠉',
      '     └────────────────────',
      '      0           step 100',
    ]);
  });

  it('joins a sudden rise without a gap', () => {
    const points = [0, 500, 501, 1000].map((step) => ({ step, value: step > 500 ? 1 : 0 }));
    const rows = renderCurve(points, { width: 26, height: 4 }).split('\n').slice(0, 4);
    expect(rows.every((row) => /[\u2801-\u28ff]/.test(row))).toBe(true);
  });

  it('never exceeds its width and takes any points', () => {
    const point = fc.record({ step: fc.double(), value: fc.double() });
    fc.assert(
      fc.property(
        fc.array(point),
        fc.integer({ min: 8, max: 120 }),
        fc.integer({ min: 1, max: 20 }),
        (points, width, height) => {
          const sorted = points.sort((a, b) => a.step - b.step);
          const lines = renderCurve(sorted, { width, height }).split('\n');
          expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
        },
      ),
    );
    expect(renderCurve([{ step: 0, value: 0.5 }])).toContain('step 0');
    expect(renderCurve([])).toBe('(no points yet)');
  });
});
