import { afterAll, expect, it } from '@jest/globals';
import { once } from 'node:events';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { matmul, ones } from '../../ts';

const ROUNDS = Number(process.env['HRM_WORKER_ROUNDS'] ?? 2);
const MB = 2 ** 20;
const program = path.resolve(__dirname, '../programs/worker_load.js');

async function start(load: string): Promise<Worker> {
  const worker = new Worker(program, { workerData: { load } });
  await once(worker, 'message');
  return worker;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The engine of this thread still computes. */
function checkOwnEngine(): void {
  const product = matmul(ones([8, 8]), ones([8, 8]));
  expect(Array.from(product.dataSync())).toEqual(new Array<number>(64).fill(8));
}

afterAll(checkOwnEngine);

it('computes in several workers at once', async () => {
  const workers = Array.from({ length: 4 }, () => new Worker(program, { workerData: { load: 'sum' } }));
  const totals = await Promise.all(
    workers.map(async (worker) => {
      let result: unknown;
      worker.on('message', (message: unknown) => (result = message));
      const [code] = (await once(worker, 'exit')) as [number];
      expect(code).toBe(0);
      return (result as { total: number }).total;
    }),
  );
  expect(totals).toEqual(new Array<number>(4).fill(999_000));
});

it.each(['ops', 'allocations', 'threads', 'reads'])(
  'survives that a worker is ended in the middle of %s',
  async (load) => {
    for (let round = 0; round < ROUNDS; ++round) {
      const workers = [await start(load), await start(load)];
      await pause((round * 7) % 40);
      checkOwnEngine();
      await Promise.all(workers.map((worker) => worker.terminate()));
    }
  },
);

it('survives process.exit in a worker that reads asynchronously', async () => {
  for (let round = 0; round < ROUNDS; ++round) {
    const worker = new Worker(program, { workerData: { load: 'exit' } });
    const [code] = (await once(worker, 'exit')) as [number];
    expect(code).toBe(0);
  }
});

it('gives the memory of ended workers back', async () => {
  const cycle = async (): Promise<void> => {
    const worker = await start('ops');
    await pause(20);
    await worker.terminate();
  };
  for (let i = 0; i < 3; ++i) await cycle();
  const before = process.memoryUsage.rss();
  for (let i = 0; i < 2 * ROUNDS; ++i) await cycle();
  expect((process.memoryUsage.rss() - before) / MB).toBeLessThan(100);
});
