import { noGrad } from '../autograd/no_grad';
import { ArgumentError } from '../error';
import { add, div, mul, sub } from '../ops/arithmetic';
import { cast } from '../ops/cast';
import { lt } from '../ops/compare';
import { cos } from '../ops/unary';
import { where } from '../ops/where';
import { readOptions } from '../tensor/arguments';
import { describe } from '../tensor/dtype';
import { tidy } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';

export interface ScheduleOptions {
  /** Learning rate at the end of the warm-up. */
  base: number;
  /** W; official 2000. */
  warmupSteps: number;
  /** Step at which the cosine reaches base * minRatio. */
  totalSteps: number;
  /** r: 1 (default) keeps the rate constant after the warm-up. */
  minRatio?: number;
}

/**
 * The learning rate of a step (HRM section 4): t < W: base t / W; then base (r + (1 - r) (1 + cos(pi (t - W) / max(1,
 * total - W))) / 2). Composed of tensor ops: nothing is read on the host.
 *
 * @param step int32 scalar t, 1 for the first step
 * @returns float32 scalar
 * @throws ArgumentError for numbers that are not finite, or negative
 */
export function learningRate(step: Tensor, options: ScheduleOptions): Tensor {
  const given = readOptions('learningRate', options, ['base', 'warmupSteps', 'totalSteps', 'minRatio']);
  const { base, warmupSteps, totalSteps, minRatio = 1 } = given;
  for (const [name, value] of Object.entries({ base, warmupSteps, totalSteps, minRatio }))
    if (!Number.isFinite(value) || value < 0)
      throw new ArgumentError(`learningRate: ${name} must be a non-negative number, got ${describe(value)}`);
  return noGrad(() =>
    tidy(() => {
      const t = cast(step, 'float32');
      const angle = mul(div(sub(t, warmupSteps), Math.max(1, totalSteps - warmupSteps)), Math.PI);
      const decayed = mul(add(mul(add(cos(angle), 1), (1 - minRatio) / 2), minRatio), base);
      return warmupSteps === 0 ? decayed : where(lt(t, warmupSteps), mul(t, base / warmupSteps), decayed);
    }),
  );
}
