/** What a call costs: `add` of two [4] float32 tensors into a new one. */
import { noGrad } from '../ts/autograd/no_grad';
import { setNumThreads } from '../ts/native/runtime';
import { add } from '../ts/ops/arithmetic';
import { tensor } from '../ts/tensor/create';
import type { Tensor } from '../ts/tensor/tensor';
import { interleave, type Side, type Subject, toRow } from './harness';

const CALLS = 1000;
const BATCHES = 300;
const WARM_UPS = 50;

/** Microseconds a call, over a batch of calls. */
function batch(run: () => void): number {
  const start = process.hrtime.bigint();
  run();
  return Number(process.hrtime.bigint() - start) / 1e3 / CALLS;
}

function disposing(a: Tensor, b: Tensor): void {
  for (let i = 0; i < CALLS; ++i) add(a, b).dispose();
}

/** Results are left to the garbage collector, whose work is inside the timing of some later batch. */
function leaving(a: Tensor, b: Tensor): void {
  let last = a;
  for (let i = 0; i < CALLS; ++i) last = add(a, b);
  if (last.shape[0] !== 4) throw new RangeError('add: the result of the last call must have 4 elements');
}

export const overhead: Subject = {
  name: 'overhead',
  title: `add of two [4] float32 tensors into a new one, batches of ${CALLS} calls`,
  async run(options, report) {
    setNumThreads(options.threads);
    const plain = [tensor([1, 2, 3, 4]), tensor([5, 6, 7, 8])] as const;
    const leaves = [tensor([1, 2, 3, 4]), tensor([5, 6, 7, 8])] as const;
    for (const leaf of leaves) leaf.requiresGrad = true;
    const cases: { name: string; side: Side; atMost: number }[] = [
      { name: 'noGrad, disposed', side: () => batch(() => noGrad(() => disposing(...plain))), atMost: 1.5 },
      { name: 'noGrad, left to the collector', side: () => batch(() => noGrad(() => leaving(...plain))), atMost: 1.5 },
      { name: 'recording, disposed', side: () => batch(() => disposing(...leaves)), atMost: 3 },
      { name: 'recording, left to the collector', side: () => batch(() => leaving(...leaves)), atMost: 3 },
    ];
    const figures = await interleave(
      cases.map(({ side }) => side),
      { rounds: options.quick ? 3 : BATCHES, warmUps: options.quick ? 1 : WARM_UPS },
    );
    cases.forEach(({ name, atMost }, i) => {
      const bound = options.quick ? undefined : ({ of: 'ours', atMost } as const);
      report.row(toRow({ subject: 'overhead', case: name, unit: 'us', better: 'lower', samples: figures[i]!, bound }));
    });
    for (const item of [...plain, ...leaves]) item.dispose();
  },
};
