/** What a worker of the tests does, without end unless it is told to: `workerData.load` says what. */
import { parentPort, workerData } from 'node:worker_threads';
import * as api from '../../ts';

const SIZE = 256 * 1024;

const loads: Record<string, () => unknown> = {
  /** Products and gradients in a loop that never returns to the event loop. */
  ops: () => {
    const weight = api.ones([128, 128]);
    weight.requiresGrad = true;
    for (;;) {
      api.backward(api.matmul(api.ones([64, 128]), weight).sum());
      weight.grad?.dispose();
      weight.grad = undefined;
    }
  },
  /** Allocations of every size. */
  allocations: () => {
    for (let i = 0; ; ++i) api.zeros([1 << (i % 20)]);
  },
  /** One large product after the other, on threads of its own. */
  threads: () => {
    api.setNumThreads(2);
    const a = api.ones([512, 512]);
    for (;;) api.matmul(a, a).dispose();
  },
  /** Reads that are under way on other threads. */
  reads: async () => {
    const x = api.zeros([SIZE]);
    for (;;) await Promise.all(Array.from({ length: 8 }, () => x.add(1).data()));
  },
  /** Leaves the process in the middle of reads. */
  exit: () => {
    const x = api.zeros([SIZE]);
    for (let i = 0; i < 8; ++i) void x.add(i).data();
    process.exit(0);
  },
  /** Ends by itself, with a result that only right arithmetic gives. */
  sum: () => {
    const total = api.arange(0, 1000, { dtype: 'float64' }).mul(2).sum().item();
    parentPort?.postMessage({ total, tensors: api.memory().tensors });
  },
};

const { load } = workerData as { load: string };
parentPort?.postMessage('ready');
void loads[load]!();
