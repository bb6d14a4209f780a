import { describe, expect, it } from '@jest/globals';
import { type Chart, escapeXml, svgDocument, ticks } from '../../ts/analyze/svg';

/** Tags in order, checked to be closed in turn: what an XML parser would refuse throws. */
function elementsOf(svg: string): string[] {
  const open: string[] = [];
  const found: string[] = [];
  for (const [, close, name, rest] of svg.matchAll(/<(\/?)([a-z]+)((?:[^<>"]|"[^"<>]*")*)>/gi)) {
    if (close) expect(open.pop()).toBe(name);
    else {
      found.push(name!);
      if (!rest!.endsWith('/')) open.push(name!);
    }
  }
  expect(open).toEqual([]);
  // Nothing that looks like a tag is left in the text.
  expect(svg.replace(/<(\/?)([a-z]+)((?:[^<>"]|"[^"<>]*")*)>/gi, '')).not.toMatch(/[<>]|&(?!(amp|lt|gt|quot|#39);)/);
  return found;
}

const line: Chart = {
  ...{ kind: 'line', title: 'a < b & "c"', xLabel: 'x', yLabel: 'y' },
  series: [
    {
      name: '<script>',
      points: [
        { x: 0, y: 0 },
        { x: 10, y: 5, error: 1 },
      ],
    },
    {
      name: 'gaps',
      points: [
        { x: 0, y: NaN },
        { x: 5, y: Infinity },
        { x: 10, y: 2 },
      ],
      dashed: true,
    },
  ],
  marks: [{ x: 5, label: 'here' }],
};

describe('svgDocument', () => {
  it('draws lines with error bars and marks, text escaped', () => {
    const svg = svgDocument([line]);
    expect(elementsOf(svg)[0]).toBe('svg');
    expect(svg).toContain('a &lt; b &amp; &quot;c&quot;');
    expect(svg).not.toContain('<script>');
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
    expect(svg).toContain('>here<');
    // The first series runs from the lower left of the plot to the right; y grows upward.
    const [, x0, y0, x1, y1] = /class="line" stroke="#3b7dd8" d="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)"/
      .exec(svg)!
      .map(Number);
    expect(x1!).toBeGreaterThan(x0!);
    expect(y1!).toBeLessThan(y0!);
    expect(svg).toMatch(/class="error"[^>]* d="M[\d.]+ [\d.]+V[\d.]+"/);
  });

  it('draws bars whose heights are their values', () => {
    const svg = svgDocument([
      {
        ...{ kind: 'bar', title: 't', yLabel: 'y' },
        groups: [
          {
            label: 'a',
            bars: [
              { name: 'p', value: 10 },
              { name: 'q', value: 5 },
            ],
          },
          {
            label: 'b',
            bars: [
              { name: 'p', value: 2.5 },
              { name: 'q', value: NaN },
            ],
          },
        ],
      },
    ]);
    elementsOf(svg);
    const heights = [...svg.matchAll(/<rect [^>]*height="([\d.]+)" fill/g)].map(([, height]) => Number(height));
    // Two more are of the legend, 10 pixels high.
    const [p, q, small] = heights;
    expect(heights).toHaveLength(5);
    expect(p! / q!).toBeCloseTo(2, 1);
    expect(p! / small!).toBeCloseTo(4, 1);
  });

  it('draws paths from a hollow start to a filled end', () => {
    const svg = svgDocument([
      {
        ...{ kind: 'path', title: 't', xLabel: 'x', yLabel: 'y' },
        paths: [
          {
            name: 'one',
            points: [
              { x: -1, y: -1 },
              { x: 0, y: 2 },
              { x: 3, y: 1 },
            ],
          },
          { name: 'none', points: [] },
        ],
      },
    ]);
    elementsOf(svg);
    const [, from, to] = /class="way"[^>]* d="M([\d.]+ [\d.]+)L[\d.]+ [\d.]+L([\d.]+ [\d.]+)"/.exec(svg)!;
    const centres = (pattern: RegExp): string[] => [...svg.matchAll(pattern)].map(([, x, y]) => `${x} ${y}`);
    expect(centres(/class="start"[^>]* cx="([\d.]+)" cy="([\d.]+)"/g)).toEqual([from]);
    // Those after it are of the legend.
    expect(centres(/<circle cx="([\d.]+)" cy="([\d.]+)" r="4.5"/g).slice(0, 1)).toEqual([to]);
  });

  it('puts charts beside each other, as many as are asked for', () => {
    const size = (svg: string): number[] => /width="(\d+)" height="(\d+)" role/.exec(svg)!.slice(1).map(Number);
    const [width, height] = size(svgDocument([line]));
    const [twoWidth, twoHeight] = size(svgDocument([line, line, line]));
    expect(twoWidth).toBe(2 * width!);
    expect(twoHeight).toBe(2 * height!);
  });

  it('survives charts without data', () => {
    const nothing = { title: '', xLabel: '', yLabel: '' };
    const svg = svgDocument([
      { ...nothing, kind: 'line', series: [] },
      { ...nothing, kind: 'line', series: [{ name: 'one', points: [{ x: 1, y: 0 }] }] },
      { ...nothing, kind: 'bar', groups: [] },
      { ...nothing, kind: 'path', paths: [] },
    ]);
    elementsOf(svg);
    expect(svg).not.toMatch(/NaN|Infinity/);
  });
});

describe('ticks', () => {
  it.each([
    [0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]],
    [0, 16, [0, 5, 10, 15]],
    [-3, 3, [-2, 0, 2]],
    [0.93, 0.99, [0.94, 0.96, 0.98]],
    [5, 5, [5]],
    [0, 4e-7, [0, 1e-7, 2e-7, 3e-7, 4e-7]],
  ])('from %d to %d', (low, high, expected) => {
    expect(ticks(low, high)).toEqual(expected);
  });
});

describe('escapeXml', () => {
  it('leaves nothing that XML forbids', () => {
    expect(escapeXml(`<&>"' \u0000\ud800\u{1f600}é\n`)).toBe('&lt;&amp;&gt;&quot;&#39; \ufffd\ufffd\u{1f600}é\n');
  });
});
