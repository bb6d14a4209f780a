import { afterEach, describe, expect, it } from '@jest/globals';
import { fallbackText, runProgress } from '../../ts/cli/run_report';
import { fusedOr, resetFallbackCounts } from '../../ts/ops/fused';

const fallBack = (op: 'level' | 'l_loop', why: string | undefined): void => {
  fusedOr(
    op,
    why,
    () => 0,
    () => 1,
  );
};
afterEach(resetFallbackCounts);

describe('what fell back from a fused path', () => {
  it('is nothing where nothing did', () => {
    fallBack('level', undefined);
    expect(fallbackText()).toBe('');
  });

  it('is counted by op, with the reason', () => {
    for (let i = 0; i < 3; i++) fallBack('level', 'the blocks differ in F');
    fallBack('l_loop', 'there are no blocks');
    expect(fallbackText()).toBe(
      'slow path: level ran unfused 3 times, because the blocks differ in F\n' +
        'slow path: l_loop ran unfused 1 times, because there are no blocks\n',
    );
  });

  it('is printed once, at the end of a run', () => {
    const lines: string[] = [];
    const progress = runProgress({ write: (text) => lines.push(text) });
    fallBack('level', 'the blocks differ in F');
    expect(lines).toEqual([]);
    progress.end();
    expect(lines.join('')).toMatch(/^slow path: level ran unfused 1 times/);
  });
});
