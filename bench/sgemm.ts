/** y = x W^T in float32 at the shapes of HRM against OpenBLAS and oneDNN: runs bench/native/sgemm.cpp. */
import { z } from 'zod';
import { type BenchOptions, type Bound, isMet, type Report, type Row, type Subject, toRow } from './harness';
import { buildNativeProgram, runProgram } from './native_program';
import { geometricMean } from './statistics';
import { noteBlasSettings } from './torch';

const ROUNDS = 7;
const INSTALL = 'apt-get install libopenblas0-openmp libdnnl-dev';

const machineLine = z.looseObject({ subject: z.literal('machine'), OpenBLAS: z.string(), oneDNN: z.string() });
const peakLine = z.looseObject({ subject: z.literal('fma peak'), ours: z.number() });
const productLine = z.looseObject({
  subject: z.enum(['sgemm', 'sgemm packed']),
  case: z.string(),
  unit: z.literal('GFLOP/s'),
  ours: z.number(),
  best: z.number(),
  n: z.number(),
  spread: z.number(),
  peer: z.string().nullable(),
  peerFigure: z.number().optional(),
  peerBest: z.number().optional(),
  peerSpread: z.number().optional(),
  ratio: z.number().optional(),
});
// The program's own means are for those who run it alone; ours are made from the rows.
const meanLine = z.looseObject({ subject: z.string(), unit: z.literal('ratio') });
const line = z.union([machineLine, peakLine, meanLine, productLine]);
type ProductLine = z.infer<typeof productLine>;

function productRow(product: ProductLine, peak: number): Row {
  const { peerFigure = null, peerBest = null, peerSpread = null, ratio = null, ...rest } = product;
  const details = { 'share of peak': product.ours / peak };
  return { ...rest, better: 'higher', peerFigure, peerBest, peerSpread, ratio, bound: null, met: null, details };
}

function meanRow(subject: string, threads: string, rows: readonly Row[], peak: number): Row {
  const ours = geometricMean(rows.map((row) => row.ours));
  const isCompared = rows.every((row) => row.peerFigure !== null);
  const theirs = isCompared ? geometricMean(rows.map((row) => row.peerFigure!)) : null;
  const bound: Bound | undefined = subject === 'sgemm' ? { of: 'ratio', atLeast: 0.95 } : undefined;
  const mean = toRow({
    subject,
    case: `geometric mean, ${threads}`,
    unit: 'GFLOP/s',
    better: 'higher',
    samples: [ours],
    peer: theirs === null ? undefined : { name: 'best of each', samples: [theirs] },
    details: { 'FMA loop GFLOP/s': peak, 'share of peak': ours / peak },
  });
  // Over shapes, not over repetitions.
  return { ...mean, n: rows.length, bound: bound ?? null, met: bound ? isMet(bound, ours, mean.ratio) : null };
}

async function runThreads(program: string, threads: number, options: BenchOptions, report: Report): Promise<void> {
  const products: ProductLine[] = [];
  let peak = 0;
  const args = [
    ...['--rounds', String(options.quick ? 1 : ROUNDS)],
    ...(options.quick ? ['--rows', '82'] : []),
    ...(options.peers ? [] : ['--no-peers']),
    String(threads),
  ];
  await runProgram(program, args, (text) => {
    const parsed = line.parse(JSON.parse(text));
    if ('OpenBLAS' in parsed && parsed.subject === 'machine') noteLibraries(parsed as z.infer<typeof machineLine>);
    else if (parsed.subject === 'fma peak') peak = (parsed as z.infer<typeof peakLine>).ours;
    else if (parsed['unit'] === 'GFLOP/s') products.push(parsed as ProductLine);
  });
  for (const subject of ['sgemm', 'sgemm packed']) {
    const rows = products.filter((product) => product.subject === subject).map((product) => productRow(product, peak));
    for (const row of rows) report.row(row);
    report.row(meanRow(subject, threads > 1 ? `${threads} threads` : '1 thread', rows, peak));
  }

  function noteLibraries(libraries: { OpenBLAS: string; oneDNN: string }): void {
    for (const name of ['OpenBLAS', 'oneDNN'] as const) {
      if (libraries[name] !== '') report.version(name, libraries[name].trim());
      else if (options.peers) report.note(`sgemm: ${name} is not installed: ${INSTALL}`);
    }
  }
}

export const sgemm: Subject = {
  name: 'sgemm',
  title: 'y = x W^T in float32, packing inside the timing; "packed": weights packed before, by whoever can',
  async run(options, report) {
    const program = buildNativeProgram('sgemm');
    if (options.peers) noteBlasSettings(report);
    for (const threads of new Set([1, options.threads])) await runThreads(program, threads, options, report);
  },
};
