import { noGrad } from '../autograd/no_grad';
import { withRefreshedCopies } from '../autograd/rounded_copy';
import { actStep, type Carry, type StepOutputs } from '../hrm/act';
import type { Hrm } from '../hrm/model';
import { copy_ } from '../ops/cast';
import { capture, type Captured } from '../tensor/capture';
import { disposeCarry, ownCarry, sameShape, writeCarry } from './carry';

/** What a segment gives. */
export interface Segment {
  readonly carry: Carry;
  readonly outputs: StepOutputs;
}

/** Runs rows a segment at a time, without training; no row halts. On an accelerator a segment is one captured graph. */
export class SegmentRunner {
  readonly #model: Hrm;
  readonly #graph: boolean;
  /** In memory that stays as long as the rows keep their number and length. */
  #carry: Carry | undefined;
  #segment: Captured<Segment> | undefined;

  /** @param graph whether segments are captured; not worth it where the number of rows changes */
  constructor(model: Hrm, graph = true) {
    this.#model = model;
    this.#graph = graph;
  }

  /** Begins with other rows, in which none has halted. */
  start(carry: Carry): void {
    if (this.#carry !== undefined && sameShape(this.#carry.current, carry.current)) {
      writeCarry(this.#carry, carry);
      return;
    }
    // The new carry first: the old segment's results may be part of it.
    const own = ownCarry(carry, this.#model.device);
    this.dispose();
    this.#carry = own;
    const device = this.#graph ? this.#model.device : 'cpu';
    this.#segment = capture(() => withRefreshedCopies(() => this.#run(own)), { device });
  }

  /** One segment more. What it returns holds until the next. */
  next(): Segment {
    // Somebody may have written the weights; a graph does not ask.
    this.#model.refreshCopies();
    return this.#segment!();
  }

  #run(from: Carry): Segment {
    return noGrad(() => {
      const { carry, outputs } = actStep(this.#model, from, from.current, { training: false });
      // The rows are the same, and go on whatever the number of segments the model was trained with.
      copy_(from.zH, carry.zH);
      copy_(from.zL, carry.zL);
      copy_(from.steps, carry.steps);
      return { carry, outputs };
    });
  }

  dispose(): void {
    this.#segment?.dispose();
    disposeCarry(this.#carry);
    this.#segment = this.#carry = undefined;
  }
}
