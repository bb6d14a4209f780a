/** The PyTorch peer (hrm_torch.py) as a child process: one request at a time, so that a bench can take turns with it. */
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { ArgumentError } from '../../ts/error';

/** Found from the compiled file (dist-test/bench/peers) in the same way as from the source. */
export const peerScript = path.resolve(__dirname, '..', '..', '..', 'bench', 'peers', 'hrm_torch.py');

/** Keys of a setup request; README.md has the defaults. */
export interface PeerSetup {
  readonly hidden?: number;
  readonly layers?: number;
  readonly hLayers?: number;
  readonly lLayers?: number;
  readonly heads?: number;
  readonly batch?: number;
  readonly seq?: number;
  readonly vocab?: number;
  readonly expansion?: number;
  readonly hCycles?: number;
  readonly lCycles?: number;
  readonly posEncodings?: 'rope' | 'learned';
  readonly puzzleEmbNdim?: number;
  readonly puzzles?: number;
  readonly haltMaxSteps?: number;
  readonly haltExplorationProb?: number;
  readonly loss?: 'stablemax' | 'softmax';
  readonly dtype?: 'float32' | 'bfloat16';
  readonly device?: 'cpu' | 'cuda';
  readonly compile?: boolean;
  readonly seed?: number;
  readonly threads?: number;
}

export interface PeerModel {
  readonly parameters: number;
  readonly forwardFlops: number;
  readonly stepFlops: number;
}

export interface PeerStep {
  readonly ms: number;
  readonly segmentMs: number;
  readonly backwardMs: number;
  readonly optimizerMs: number;
  readonly loss: number;
}

export interface PeerMemory {
  readonly rssAfterImportBytes: number;
  readonly rssBytes: number;
  readonly peakRssBytes: number;
}

export interface PeerVersions {
  readonly python: string;
  readonly torch: string;
  /** null where PyTorch brings another BLAS. */
  readonly blas: { path: string; config: string; core: string; threading: string } | null;
  readonly cpuCapability: string | null;
  readonly threads: number;
  readonly scaledDotProductAttention: boolean;
  readonly compile: boolean;
  readonly cuda: string | null;
}

/**
 * The first interpreter that has PyTorch and numpy: HRM_PEER_PYTHON if set (then no other), Debian's, the one on PATH.
 * Undefined if none has; install python3-torch libopenblas0-openmp python3-numpy.
 */
export function findTorchPython(): string | undefined {
  const asked = process.env['HRM_PEER_PYTHON'];
  return (asked ? [asked] : ['/usr/bin/python3', 'python3']).find(
    (python) => spawnSync(python, ['-c', 'import numpy, torch'], { stdio: 'ignore' }).status === 0,
  );
}

type Answer = { readonly ok: true } | { readonly ok: false; readonly error: string };

export class TorchPeer {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: Interface;
  readonly #exited: Promise<void>;
  #busy = false;

  constructor(python: string) {
    this.#child = spawn(python, [peerScript, 'serve'], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
    });
    this.#lines = createInterface({ input: this.#child.stdout });
    this.#exited = new Promise((resolve) => {
      this.#child.once('error', () => resolve());
      this.#child.once('close', () => resolve());
    });
    // A write to a process that died is reported by the missing answer.
    this.#child.stdin.on('error', () => undefined);
  }

  /** Of the process; undefined if it could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  setup(setup: PeerSetup): Promise<PeerModel> {
    return this.#request<PeerModel>({ cmd: 'setup', ...setup });
  }

  /** One evaluation segment: one recurrence without gradient. */
  forward(): Promise<{ readonly ms: number }> {
    return this.#request<{ ms: number }>({ cmd: 'forward' });
  }

  /** One training step: both recurrences, backward, both optimizers. */
  step(): Promise<PeerStep> {
    return this.#request<PeerStep>({ cmd: 'step' });
  }

  /** Of the process so far: weigh a fresh one. */
  memory(): Promise<PeerMemory> {
    return this.#request<PeerMemory>({ cmd: 'memory' });
  }

  versions(): Promise<PeerVersions> {
    return this.#request<PeerVersions>({ cmd: 'versions' });
  }

  async close(): Promise<void> {
    this.#child.stdin.end();
    await this.#exited;
    this.#lines.close();
  }

  async #request<T>(request: { readonly cmd: string }): Promise<T> {
    if (this.#busy)
      throw new ArgumentError(`${request.cmd}: expected one request at a time, got a second; await the first`);
    this.#busy = true;
    try {
      const answer = new Promise<string>((resolve, reject) => {
        this.#lines.once('line', resolve);
        void this.#exited.then(() => reject(new ArgumentError(`${request.cmd}: the PyTorch peer has exited`)));
      });
      this.#child.stdin.write(`${JSON.stringify(request)}\n`);
      const result = JSON.parse(await answer) as Answer;
      if (!result.ok) throw new ArgumentError(`${request.cmd}: the PyTorch peer refused: ${result.error}`);
      return result as unknown as T;
    } finally {
      this.#busy = false;
    }
  }
}
