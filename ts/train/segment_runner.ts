import { noGrad } from '../autograd/no_grad';
import { actStep, type BatchTensors, type Carry, initialCarry, type StepOutputs } from '../hrm/act';
import type { Hrm } from '../hrm/model';
import { zerosLike } from '../ops/arange';
import { capture, type Captured } from '../tensor/capture';
import { tidy } from '../tensor/scope';
import { disposeBatch, disposeCarry, ownBatch, ownCarry, sameShape, writeBatch, writeCarry } from './carry';

/** What a segment gives. */
export interface Segment {
  readonly carry: Carry;
  readonly outputs: StepOutputs;
}

/** Segments of evaluation on rows of one shape, in which no row halts. On an accelerator they are one graph. */
class Runner {
  readonly #model: Hrm;
  readonly rows: BatchTensors;
  readonly #carry: Carry;
  readonly segment: Captured<Segment>;

  constructor(model: Hrm, rows: BatchTensors, graph: boolean) {
    this.#model = model;
    this.rows = ownBatch(rows, model.device);
    this.#carry = noGrad(() => tidy(() => ownCarry(initialCarry(model, this.rows), model.device)));
    this.segment = capture(() => this.#run(), { device: graph ? model.device : 'cpu' });
  }

  start(rows: BatchTensors): void {
    writeBatch(this.rows, rows);
    noGrad(() => {
      tidy(() => {
        writeCarry(this.#carry, initialCarry(this.#model, this.rows));
      });
    });
  }

  #run(): Segment {
    return noGrad(() => {
      const { carry, outputs } = actStep(this.#model, this.#carry, this.rows, { training: false });
      // Every row goes on, whatever the number of segments the model was trained with.
      writeCarry(this.#carry, { ...carry, halted: zerosLike(carry.halted) });
      return { carry, outputs };
    });
  }

  dispose(): void {
    this.segment.dispose();
    disposeCarry(this.#carry);
    disposeBatch(this.rows);
  }
}

/** Runs batch after batch, each a segment at a time. */
export class SegmentRunner {
  readonly #model: Hrm;
  readonly #graph: boolean;
  #runner: Runner | undefined;

  /** @param graph whether the segments of an accelerator are captured */
  constructor(model: Hrm, graph = true) {
    this.#model = model;
    this.#graph = graph;
  }

  /** Begins with other rows, at their first segment. A batch of another shape is recorded anew. */
  start(rows: BatchTensors): void {
    if (this.#runner !== undefined && sameShape(this.#runner.rows, rows)) {
      this.#runner.start(rows);
      return;
    }
    this.dispose();
    this.#runner = new Runner(this.#model, rows, this.#graph);
  }

  /** One segment more. What it returns holds until the next. */
  next(): Segment {
    return this.#runner!.segment();
  }

  dispose(): void {
    this.#runner?.dispose();
    this.#runner = undefined;
  }
}
