/** The native updates of optim/: they write their first lists in place and record nothing. */
import type { Tensor } from '../tensor/tensor';
import { checkInPlace, defineOp, type Op } from './define';

export const adamAtan2Op: Op<'adam_atan2'> = defineOp('adam_atan2');
export const signSgdOp: Op<'sign_sgd'> = defineOp('sign_sgd');
export const emaOp: Op<'ema'> = defineOp('ema');

/** Lists in the same order, float32 or float64. */
export interface AdamTensors {
  readonly parameters: Tensor[];
  /** Means of the gradients and of their squares. */
  readonly m: Tensor[];
  readonly v: Tensor[];
  readonly gradients: Tensor[];
  /** bfloat16 copies of the first parameters, as many as there are: written with them, rounded to nearest even. */
  readonly copies?: Tensor[];
}

export interface AdamScalars {
  /** int32 []: 1 at the first update. */
  readonly step: Tensor;
  /** float32 or float64 [] */
  readonly lr: Tensor;
  /** bool []: nothing changes where it is false. */
  readonly finite: Tensor;
}

/**
 * One AdamATan2 update of every parameter in place (HRM section 4; adam-atan2 0.0.3):
 * p *= 1 - lr weightDecay; m, v the moving averages; p -= lr / (1 - beta1^t) atan2(m, sqrt(v) / sqrt(1 - beta2^t)).
 */
export function adamAtan2_(
  { parameters, m, v, gradients, copies = [] }: AdamTensors,
  { step, lr, finite }: AdamScalars,
  options: { beta1: number; beta2: number; weightDecay: number },
): void {
  checkInPlace('adamAtan2_', [parameters, m, v, copies]);
  adamAtan2Op.many([parameters, m, v, gradients, copies, step, lr, finite], {
    beta1: options.beta1,
    beta2: options.beta2,
    weight_decay: options.weightDecay,
  });
}

/**
 * One update of the rows of `weights` [n, width] named by `ids` int32 [B] in place: gradients [B, width] of equal ids are
 * summed, then w = w (1 - lr weightDecay) - lr sign(g), once a distinct id, sign(0) = 0 (HRM section 4).
 * @throws ArgumentError for an id that is no row; then nothing has changed
 */
export function signSgd_(
  weights: Tensor,
  ids: Tensor,
  gradients: Tensor,
  { lr, finite }: Omit<AdamScalars, 'step'>,
  options: { weightDecay: number },
): void {
  checkInPlace('signSgd_', [weights]);
  signSgdOp.many([weights, ids, gradients, lr, finite], { weight_decay: options.weightDecay });
}

/** average = decay average + (1 - decay) weight in place, where `finite` (bool []) is true. */
export function ema_(averages: Tensor[], weights: Tensor[], finite: Tensor, options: { decay: number }): void {
  checkInPlace('ema_', [averages]);
  emaOp.many([averages, weights, finite], { decay: options.decay });
}
