import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { runCli } from '../support/run_cli';
import { withDirectory } from '../support/tiny_run';

describe('hrm demo', () => {
  it('tells the whole story, and says so when the time was too short to learn', async () => {
    await withDirectory(async (dir) => {
      const out = path.join(dir, 'run');
      const { stdout, stderr, exitCode } = await runCli(['demo', '--minutes', '0.00123', '--out', out]);
      expect(stderr).toBe('');
      expect(stdout).toMatch(
        /training +15000 puzzles of 216 grids, by blanks 8: \d+, 9: \d+, 10: \d+, 11: \d+, 12: \d+\n/,
      );
      expect(stdout).toMatch(/test +600 puzzles of +48 grids/);
      expect(stdout).toContain('overlap of training and test: 0 puzzles, 0 solution grids');
      // The trial and the generating of the data do not count.
      expect(stdout).toMatch(/Trained \d+ steps in 0:0\d \(time is up\)/);
      expect(stdout).toMatch(/training rows, augmented ones included, 0 were held-out puzzles or grids/);
      expect(stdout).toMatch(/Test: [\d.]+% ± [\d.]+% of 600 puzzles exactly right/);
      expect(stdout.match(/Unseen puzzle \d\npuzzle +segment 1 +segment 2/g)).toHaveLength(3);
      expect(stdout).toContain('Goal of 95.0% missed');
      expect(exitCode).toBe(1);
    });
  });
});
