/** Several states to start a puzzle from: the model's own, and others of the distribution that it was drawn from. */
import { noGrad } from '../autograd/no_grad';
import { cast } from '../ops/cast';
import type { States } from '../ops/l_loop';
import { Generator, truncNormal } from '../ops/random';
import { expand } from '../ops/reshape';
import { toDevice, zeros } from '../tensor/create';
import type { BatchTensors, Carry } from './act';
import { totalSeqLen } from './config';
import type { Hrm } from './model';

/**
 * Initial states [D] in float32: the model's own first, the others truncated normal of deviation 1 as those are (HRM section
 * 1). Of one seed a longer list begins with the shorter ones.
 *
 * @param count at least 1
 */
export function drawInitialStates({ hInit, lInit, config, device }: Hrm, count: number, seed: number): States[] {
  using generator = new Generator(seed);
  const draw = (): States['zH'] =>
    toDevice(truncNormal([config.hidden], { std: 1, generator }), device, 'drawInitialStates');
  const others = Array.from({ length: count - 1 }, () => ({ zH: draw(), zL: draw() }));
  return [{ zH: hInit, zL: lInit }, ...others];
}

/** The carry of rows that begin at given states [D], where {@link initialCarry} takes the model's own. */
export function carryFrom({ config }: Pick<Hrm, 'config'>, rows: BatchTensors, { zH, zL }: States): Carry {
  const { device, shape } = rows.puzzleIdentifiers;
  const states = [...shape, totalSeqLen(config), config.hidden];
  return noGrad(() => ({
    zH: expand(cast(zH, config.forwardDtype), states),
    zL: expand(cast(zL, config.forwardDtype), states),
    steps: zeros(shape, { dtype: 'int32', device }),
    halted: zeros(shape, { dtype: 'bool', device }),
    current: rows,
  }));
}
