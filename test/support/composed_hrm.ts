/** A model's recurrence in generic ops, from its weights by name: independent of the fused ops and of `updateL`, `updateH`. */
import {
  type BlockOptions,
  type BlockWeights,
  cast,
  composedLevel,
  type Hrm,
  type States,
  type Tensor,
} from '../../ts';

/** A level's blocks, in the dtype of the forward pass. */
export function blocksOf(model: Hrm, level: 'L_level' | 'H_level'): BlockWeights[] {
  const { config } = model;
  const weights = new Map(model.namedParameters());
  const shared = config.sharedLevels ? 'L_level' : level;
  const names = config.mlpT
    ? { tGateUp: 'mlp_t.gate_up_proj', tDown: 'mlp_t.down_proj' }
    : { qkv: 'self_attn.qkv_proj', o: 'self_attn.o_proj' };
  const all = { ...names, gateUp: 'mlp.gate_up_proj', down: 'mlp.down_proj' };
  const block = (i: number): BlockWeights =>
    Object.fromEntries(
      Object.entries(all).map(([part, name]) => [
        part,
        cast(weights.get(`${shared}.layers.${i}.${name}.weight`) as Tensor, config.forwardDtype),
      ]),
    ) as unknown as BlockWeights;
  return Array.from({ length: level === 'L_level' ? config.lLayers : config.hLayers }, (_, i) => block(i));
}

/** One update of a level. */
export interface ComposedUpdate {
  readonly level: 'H' | 'L';
  readonly step: number;
  readonly before: Tensor;
  readonly after: Tensor;
}

/** Every update of a segment (HRM section 2) with its graph; the last two lead to the new states. */
export function composedSegment(model: Hrm, from: States, x: Tensor): { updates: ComposedUpdate[]; states: States } {
  const { nHeads, rmsNormEps, hCycles, lCycles } = model.config;
  const rope = model.ropeTables;
  const options: BlockOptions = { nHeads, eps: rmsNormEps, ...(rope && { rope }) };
  const updates: ComposedUpdate[] = [];
  let { zH, zL } = from;
  for (let step = 1; step <= hCycles * lCycles; ++step) {
    const newL = composedLevel(zL, [zH, x], blocksOf(model, 'L_level'), options);
    updates.push({ level: 'L', step, before: zL, after: newL });
    zL = newL;
    if (step % lCycles !== 0) continue;
    const newH = composedLevel(zH, [zL], blocksOf(model, 'H_level'), options);
    updates.push({ level: 'H', step, before: zH, after: newH });
    zH = newH;
  }
  return { updates, states: { zH, zL } };
}

/** H(zH, zL) in generic ops. */
export function composedH(model: Hrm, { zH, zL }: States): Tensor {
  const { nHeads, rmsNormEps } = model.config;
  const rope = model.ropeTables;
  return composedLevel(zH, [zL], blocksOf(model, 'H_level'), { nHeads, eps: rmsNormEps, ...(rope && { rope }) });
}
