import type { BlockWeights } from '../ops/level';
import type { Generator } from '../ops/random';
import { startOnGrid } from './grid_mixer';
import { Linear } from './linear';
import { Module } from './module';

export interface BlockShape {
  /** D */
  hidden: number;
  /** F: inner size of the SwiGLU over the hidden axis. */
  inner: number;
  /** S and F' where a SwiGLU over the sequence axis replaces attention (TRM's mlpT). */
  mlpT?: { seqLen: number; inner: number; /** Of the grid that it starts on (startOnGrid). */ gridSide?: number };
}

/** qkv_proj [3D, D] (q heads, then k heads, then v heads) and o_proj [D, D]; no biases. */
export class Attention extends Module {
  readonly qkv: Linear;
  readonly o: Linear;

  constructor(hidden: number, generator: Generator) {
    super();
    this.qkv = this.child('qkv_proj', new Linear(hidden, 3 * hidden, { generator }));
    this.o = this.child('o_proj', new Linear(hidden, hidden, { generator }));
  }
}

/** gate_up_proj [2F, width] (gate rows first) and down_proj [width, F]; no biases. */
export class SwiGlu extends Module {
  readonly gateUp: Linear;
  readonly down: Linear;

  constructor(width: number, inner: number, generator: Generator) {
    super();
    this.gateUp = this.child('gate_up_proj', new Linear(width, 2 * inner, { generator }));
    this.down = this.child('down_proj', new Linear(inner, width, { generator }));
  }
}

/** The weights of one block (HRM section 1); what a block computes is the op `level`. */
export class Block extends Module {
  readonly #mixer: Attention | SwiGlu;
  readonly #mlp: SwiGlu;

  constructor(shape: BlockShape, generator: Generator) {
    super();
    this.#mixer = shape.mlpT
      ? this.child('mlp_t', new SwiGlu(shape.mlpT.seqLen, shape.mlpT.inner, generator))
      : this.child('self_attn', new Attention(shape.hidden, generator));
    if (this.#mixer instanceof SwiGlu && shape.mlpT?.gridSide !== undefined)
      startOnGrid({ gateUp: this.#mixer.gateUp.weight, down: this.#mixer.down.weight }, shape.mlpT.gridSide);
    this.#mlp = this.child('mlp', new SwiGlu(shape.hidden, shape.inner, generator));
  }

  get weights(): BlockWeights {
    const mixer = this.#mixer;
    const mlp = { gateUp: this.#mlp.gateUp.weight, down: this.#mlp.down.weight };
    return mixer instanceof Attention
      ? { qkv: mixer.qkv.weight, o: mixer.o.weight, ...mlp }
      : { tGateUp: mixer.gateUp.weight, tDown: mixer.down.weight, ...mlp };
  }
}
