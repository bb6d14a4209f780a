import { describe, expect, it } from '@jest/globals';
import { max, min, sum, tensor } from '../../ts/index';

describe('reductions of integers', () => {
  it('are exact at every length, whatever the vectorizer makes of it', () => {
    for (let n = 1; n <= 300; n++) {
      const values = Int32Array.from({ length: n }, (_, i) => (i * 7919) % 1013);
      const x = tensor(values);
      const bytes = tensor(Uint8Array.from(values, (value) => value % 251));
      expect([n, sum(x).item(), max(x).item(), min(x).item()]).toEqual([
        n,
        values.reduce((a, b) => a + b),
        Math.max(...values),
        Math.min(...values),
      ]);
      expect([n, sum(bytes).item()]).toEqual([n, Array.from(values).reduce((a, b) => a + (b % 251), 0)]);
      const rows = tensor(Int32Array.from([...values, ...values]), { shape: [2, n] });
      expect(Array.from(sum(rows, 0).dataSync())).toEqual(Array.from(values, (value) => 2 * value));
    }
  });
});
