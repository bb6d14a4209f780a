/** The rows of this engine in the GPU's yardstick. Cases come from the runner, whose list is the peers' too. */
import { ArgumentError } from '../../ts/error';
import { type ModelConfig, modelConfigFromReference } from '../../ts/hrm/config';

/** A case in the words of bench/peers/torch_peer/config.py: the reference's keys. */
export type PeerConfig = Readonly<Record<string, unknown>>;

export interface Case {
  readonly config: ModelConfig;
  readonly batch: number;
}

export interface RowPlan {
  readonly row: string;
  readonly essential: boolean;
  /** That a row may take on a card: what a budget is planned with. */
  readonly seconds: number;
}

/** `ours`: as a user has it; `ours-own`: products by our own kernels alone (HRM_GEMM=own). */
export const MODES = ['ours', 'ours-own'] as const;
export type Mode = (typeof MODES)[number];

const SECONDS = 8;
const ESSENTIAL = ['step/sudoku-384', 'solve/sudoku-1'];
/** Whose activations are weighed. */
const WEIGHED = 'step/sudoku-96';
/** hCycles x lCycles. */
const CYCLES = ['2x2', '4x4', '8x8', '16x16', '2x16', '16x2'];

/** Of cases by names such as `step/sudoku-384`; a rehearsal leaves out what takes long anywhere. */
export function rowsOf(cases: Readonly<Record<string, PeerConfig>>, mode: Mode, rehearsal: boolean): RowPlan[] {
  const timed = Object.keys(cases).map((name) => ({
    row: `${name}/${mode}`,
    essential: ESSENTIAL.includes(name),
    seconds: SECONDS,
  }));
  const weighed = (rehearsal ? CYCLES.slice(0, 1) : CYCLES).map((cycles) => ({
    row: `activations/${cycles}/ours`,
    essential: false,
    seconds: SECONDS,
  }));
  return mode === 'ours' ? [...timed, ...weighed] : timed;
}

/** The model and batch of a row. @throws ArgumentError for a row of no case */
export function caseOf(cases: Readonly<Record<string, PeerConfig>>, row: string): Case {
  const [measure, name = ''] = row.split('/');
  const cycles = measure === 'activations' ? /^(\d+)x(\d+)$/.exec(name) : null;
  const peer = cases[cycles === null ? `${measure}/${name}` : WEIGHED];
  if (peer === undefined) throw new ArgumentError(`bench: no case for the row ${row}`);
  const { loss_type: loss, batch_size: batch, ...record } = peer;
  const changed = cycles === null ? {} : { H_cycles: Number(cycles[1]), L_cycles: Number(cycles[2]) };
  return { config: modelConfigFromReference({ ...record, ...changed }, String(loss)), batch: Number(batch) };
}
