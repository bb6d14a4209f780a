/** The PyTorch peer for the subjects that compare with it. */
import { readFileSync } from 'node:fs';
import type { BenchOptions, Report } from './harness';
import { findTorchPython, TorchPeer } from './peers/hrm_torch';

const INSTALL = 'apt-get install python3-torch libopenblas0-openmp python3-numpy';

/**
 * Says when the environment chooses OpenBLAS's kernels: it may hold the peer to another processor's, at half the speed
 * where that one has no AVX-512.
 */
export function noteBlasSettings(report: Report): void {
  const set = ['OPENBLAS_CORETYPE', 'OPENBLAS_L2_SIZE']
    .filter((name) => process.env[name] !== undefined)
    .map((name) => `${name}=${process.env[name]!}`);
  if (set.length > 0)
    report.note(
      `OpenBLAS does not choose its kernels itself: the environment sets ${set.join(' and ')}; unset to compare`,
    );
}

/**
 * The interpreter to run the peer with, after its versions have been reported; undefined, with a note, where there is
 * none or where its BLAS would make it an unfair opponent.
 */
export async function fairTorchPython(
  subject: string,
  options: BenchOptions,
  report: Report,
): Promise<string | undefined> {
  if (!options.peers) return undefined;
  const python = findTorchPython();
  if (python === undefined) {
    report.note(`${subject}: PyTorch is not installed: ${INSTALL}`);
    return undefined;
  }
  noteBlasSettings(report);
  const peer = new TorchPeer(python);
  try {
    const { torch, blas, cpuCapability, scaledDotProductAttention } = await peer.versions();
    if (blas?.threading === 'pthread') {
      report.note(
        `${subject}: PyTorch runs on the pthread build of OpenBLAS, 2.3 times slower and no fair peer: ${INSTALL}`,
      );
      return undefined;
    }
    const library = blas ? `, ${blas.config.trim()} (${blas.threading})` : '';
    report.version('PyTorch', `${torch} (${cpuCapability ?? 'unknown capability'}${library})`);
    if (!scaledDotProductAttention) report.note(`PyTorch ${torch} has no scaled_dot_product_attention and no compile`);
    return python;
  } finally {
    await peer.close();
  }
}

const TICKS_PER_SECOND = 100;

/** Seconds of processor time that a process has used so far, in all its threads; NaN where /proc does not say. */
export function cpuSeconds(pid: number | undefined): number {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
    // The name, in parentheses, may hold spaces: fields are counted from its end, utime and stime are 14 and 15.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  } catch {
    return NaN;
  }
}
