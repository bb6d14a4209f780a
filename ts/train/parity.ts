/**
 * Compares this engine with stored outputs and gradients of the reference implementation, tensor by tensor: `hrm parity`.
 * The folder holds `ref.safetensors` and `ref.json`; docs/parity.md says what each tensor is and where the bounds come from.
 */
import path from 'node:path';
import { z } from 'zod';
import type { Device } from '../native/device';
import { fullLike } from '../ops/arange';

import { noGrad } from '../autograd/no_grad';
import { backward } from '../autograd/tape';
import { FormatError } from '../error';
import { actStep, type BatchTensors, type Carry, initialCarry, type StepOutputs } from '../hrm/act';
import { modelConfigFromReference } from '../hrm/config';
import { actLoss, METRIC_NAMES, type MetricName } from '../hrm/loss';
import { Hrm } from '../hrm/model';
import { readWholeFile } from '../io/files';
import { parseSafetensors } from '../io/safetensors';
import { parseJson } from '../io/strict_json';
import { mul } from '../ops/arithmetic';
import { Generator } from '../ops/random';
import { SparseSignSGD } from '../optim/sign_sgd';
import { tensor, toDevice } from '../tensor/create';
import { tidy } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { compare, type ParityRow } from './parity_compare';

const stepMetrics = z.looseObject({
  loss_total_sum: z.number(),
  count: z.number(),
  accuracy: z.number(),
  exact_accuracy: z.number(),
  q_halt_accuracy: z.number(),
  steps: z.number(),
  lm_loss: z.number(),
  q_halt_loss: z.number(),
  q_continue_loss: z.number().default(0),
});

const referenceSchema = z.looseObject({
  config: z.record(z.string(), z.unknown()),
  loss_type: z.string(),
  signsgd: z.looseObject({ lr: z.number(), weight_decay: z.number() }),
  train_steps: z.array(stepMetrics).min(1),
  eval_last_step_metrics: stepMetrics,
  tolerance: z.record(z.string(), z.looseObject({ rel_l2: z.number() })),
});

const PREFIX = 'model.inner.';
const METRIC_KEYS: Readonly<Record<MetricName, keyof z.infer<typeof stepMetrics>>> = {
  count: 'count',
  accuracy: 'accuracy',
  exactAccuracy: 'exact_accuracy',
  qHaltAccuracy: 'q_halt_accuracy',
  steps: 'steps',
  lmLoss: 'lm_loss',
  qHaltLoss: 'q_halt_loss',
  qContinueLoss: 'q_continue_loss',
};

/** The stored tensors, with a record of which have been used. */
class Reference {
  readonly json: z.infer<typeof referenceSchema>;
  readonly #tensors: ReturnType<typeof parseSafetensors>['tensors'];
  readonly #used = new Set<string>();
  readonly #where: string;

  constructor(folder: string) {
    const jsonFile = path.join(folder, 'ref.json');
    const tensorFile = path.join(folder, 'ref.safetensors');
    const parsed = referenceSchema.safeParse(parseJson(readWholeFile('parity', jsonFile), jsonFile));
    if (!parsed.success) throw new FormatError(`${jsonFile}: ${z.prettifyError(parsed.error)}`);
    this.json = parsed.data;
    this.#tensors = parseSafetensors(readWholeFile('parity', tensorFile), tensorFile).tensors;
    this.#where = tensorFile;
  }
  get(name: string): Tensor {
    const raw = this.#tensors.get(name);
    if (raw === undefined) throw new FormatError(`${this.#where}: tensor ${name} is missing`);
    this.#used.add(name);
    return tensor(raw.data, { shape: raw.shape, dtype: raw.dtype });
  }
  has(name: string): boolean {
    return this.#tensors.has(name);
  }
  names(prefix: string): string[] {
    return [...this.#tensors.keys()].filter((name) => name.startsWith(prefix));
  }
  unused(): string[] {
    return [...this.#tensors.keys()].filter((name) => !this.#used.has(name));
  }
}

const OUTPUTS: readonly (readonly [string, (carry: Carry, outputs: StepOutputs) => Tensor | undefined])[] = [
  ['z_H', (carry) => carry.zH],
  ['z_L', (carry) => carry.zL],
  ['logits', (_, outputs) => outputs.logits],
  ['q_halt_logits', (_, outputs) => outputs.qHalt],
  ['q_continue_logits', (_, outputs) => outputs.qContinue],
  ['target_q_continue', (_, outputs) => outputs.targetQContinue],
  ['halted', (carry) => carry.halted],
  ['steps', (carry) => carry.steps],
];

class Parity {
  readonly rows: ParityRow[] = [];
  readonly #ref: Reference;
  readonly #model: Hrm;
  readonly #device: Device;

  constructor(ref: Reference, device: Device) {
    this.#ref = ref;
    this.#device = device;
    this.#model = new Hrm(modelConfigFromReference(ref.json.config, ref.json.loss_type), new Generator(0));
  }

  run(): void {
    const weights = this.#ref.names('weight.').map((name) => {
      return [name.slice('weight.'.length + PREFIX.length), this.#ref.get(name)] as const;
    });
    this.#model.loadStateDict(new Map(weights));
    this.#model.to(this.#device);
    this.#rope();
    const nSteps = this.#ref.json.train_steps.length;
    const chained = this.#chained(nSteps);
    for (let step = 1; step <= nSteps; ++step) tidy(() => this.#segment(step, chained));
    tidy(() => {
      this.#optimizer();
    });
    tidy(() => {
      this.#evaluation();
    });
    for (const name of this.#ref.unused())
      this.rows.push({ name, kind: 'unchecked', error: Infinity, bound: 0, ok: false });
    this.#model.dispose();
  }

  #add(name: string, ours: Tensor | undefined, like = name, chained?: number): void {
    const reference = this.#ref.get(name);
    this.rows.push(compare(name, ours, reference, this.#ref.json.tolerance[like]?.rel_l2, chained));
  }

  /** A tensor of the reference that the engine computes from, on its device. */
  #input(name: string): Tensor {
    return toDevice(this.#ref.get(name), this.#device, 'parity');
  }

  #rope(): void {
    const tables = this.#model.ropeTables;
    for (const part of ['cos', 'sin'] as const)
      if (this.#ref.has(`const.rope_${part}`)) {
        if (tables) this.#add(`const.rope_${part}`, tables[part]);
        else this.#ref.get(`const.rope_${part}`);
      }
  }

  #batch(prefix: string): BatchTensors {
    return {
      inputs: this.#input(`${prefix}.inputs`),
      labels: this.#input(`${prefix}.labels`),
      puzzleIdentifiers: this.#input(`${prefix}.puzzle_identifiers`),
    };
  }

  /** The carry the reference had before a segment; before the first, states that must never be selected. */
  #carryBefore(step: number, batch: BatchTensors): Carry {
    const flags = { halted: this.#input(`step${step}.in.halted`), steps: this.#input(`step${step}.in.steps`) };
    if (step === 1) {
      const nothing = { ...initialCarry(this.#model, batch) };
      const poison = (like: Tensor): Tensor => fullLike(like, NaN);
      return { ...nothing, zH: poison(nothing.zH), zL: poison(nothing.zL), ...flags };
    }
    const before = `step${step - 1}.out`;
    const current = this.#batch(`step${step - 1}.cur`);
    return { zH: this.#input(`${before}.z_H`), zL: this.#input(`${before}.z_L`), current, ...flags };
  }

  /** Errors of our own chain of segments, by tensor name: shown, not judged. */
  #chained(nSteps: number): Map<string, number> {
    const errors = new Map<string, number>();
    noGrad(() => {
      tidy(() => {
        let carry: Carry | undefined;
        for (let step = 1; step <= nSteps; ++step) {
          const batch = this.#batch(`step${step}.batch`);
          const next = actStep(this.#model, carry ?? this.#carryBefore(1, batch), batch, { training: true });
          carry = next.carry;
          for (const [name, pick] of OUTPUTS) {
            const key = `step${step}.out.${name}`;
            const ours = pick(next.carry, next.outputs);
            if (ours && this.#ref.has(key)) errors.set(key, compare(key, ours, this.#ref.get(key), undefined).error);
          }
        }
      });
    });
    return errors;
  }

  #segment(step: number, chained: ReadonlyMap<string, number>): void {
    const batch = this.#batch(`step${step}.batch`);
    const { carry, outputs } = actStep(this.#model, this.#carryBefore(step, batch), batch, { training: true });
    this.#add(`step${step}.cur.inputs`, carry.current.inputs);
    this.#add(`step${step}.cur.labels`, carry.current.labels);
    this.#add(`step${step}.cur.puzzle_identifiers`, carry.current.puzzleIdentifiers);
    for (const [name, pick] of OUTPUTS) {
      const key = `step${step}.out.${name}`;
      if (this.#ref.has(key)) this.#add(key, pick(carry, outputs), key, chained.get(key));
    }
    const { loss, metrics } = actLoss(this.#model.config, carry, outputs);
    const expected = this.#ref.json.train_steps[step - 1] as z.infer<typeof stepMetrics>;
    this.#metrics(`step${step}.metrics`, loss, metrics, expected);
    if (step === 1) this.#gradients(loss, outputs, batch.inputs.shape[0] as number);
  }

  #metrics(prefix: string, loss: Tensor, metrics: Tensor, expected: z.infer<typeof stepMetrics>): void {
    const values = metrics.dataSync();
    METRIC_NAMES.forEach((name, i) => {
      const reference = tensor([expected[METRIC_KEYS[name]] as number], { dtype: 'float64' });
      // Counts have no rounding; losses are sums over few rows, with the rounding of the logits they come from.
      const judged = name.endsWith('Loss') ? 'few' : undefined;
      this.rows.push(compare(`${prefix}.${name}`, tensor([values[i] as number]), reference, judged));
    });
    const total = tensor([expected.loss_total_sum], { dtype: 'float64' });
    this.rows.push(compare(`${prefix}.lossTotal`, tensor([loss.item()]), total, 'few'));
  }

  #gradients(loss: Tensor, outputs: StepOutputs, batchSize: number): void {
    backward(mul(loss, 1 / batchSize));
    for (const [name, parameter] of this.#model.namedParameters()) this.#add(`grad.${PREFIX}${name}`, parameter.grad);
    const rows = `grad.${PREFIX}puzzle_emb.local_weights`;
    if (this.#ref.has(rows)) this.#add(rows, outputs.puzzleRows?.grad);
    this.#model.zeroGrad();
    outputs.puzzleRows?.grad?.dispose();
  }

  /** One step of sparse SignSGD with the reference's own gradient. */
  #optimizer(): void {
    const key = 'after_signsgd.puzzle_emb.weights';
    if (!this.#ref.has(key)) return;
    const weights = this.#input(`weight.${PREFIX}puzzle_emb.weights`);
    const { lr, weight_decay: weightDecay } = this.#ref.json.signsgd;
    const optimizer = new SparseSignSGD(weights, { weightDecay });
    const gradient = this.#input(`grad.${PREFIX}puzzle_emb.local_weights`);
    const ids = this.#input('step1.cur.puzzle_identifiers');
    optimizer.step(ids, gradient, tensor(lr), tensor(true));
    this.#add(key, weights);
  }

  #evaluation(): void {
    noGrad(() => {
      const names = this.#ref.names('eval.step');
      const last = Math.max(0, ...names.map((name) => Number(/^eval\.step(\d+)\./.exec(name)?.[1] ?? 0)));
      if (last === 0) return;
      const batch = this.#batch('step1.batch');
      let carry = initialCarry(this.#model, batch);
      let outputs: StepOutputs | undefined;
      for (let step = 1; step <= last; ++step)
        ({ carry, outputs } = actStep(this.#model, carry, batch, { training: false }));
      for (const [name, pick] of OUTPUTS) {
        const key = `eval.step${last}.out.${name}`;
        if (outputs && this.#ref.has(key)) this.#add(key, pick(carry, outputs), `step${last}.out.${name}`);
      }
      if (!outputs) return;
      const { loss, metrics } = actLoss(this.#model.config, carry, outputs);
      this.#metrics('eval.metrics', loss, metrics, this.#ref.json.eval_last_step_metrics);
    });
  }
}

/**
 * Runs the comparison on a device.
 * @throws FormatError when the folder's files are missing parts or malformed; DeviceError
 */
export function parity(folder: string, device: Device = 'cpu'): ParityRow[] {
  const run = new Parity(new Reference(folder), device);
  run.run();
  return run.rows;
}
