/** `hrm analyze`: what the paper's figures measure, on a run of one's own. */
import { halting, segments, steps } from './analyze_answers';
import { gradients } from './analyze_gradients';
import { dimensions, residuals, trajectories } from './analyze_states';
import { defineGroup } from './command';

export const analyze = defineGroup('analyze', 'Look into a trained model as the figures of the paper do', [
  residuals,
  trajectories,
  dimensions,
  steps,
  segments,
  halting,
  gradients,
]);
