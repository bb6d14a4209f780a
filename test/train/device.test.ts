/** A model on an accelerator: `npm run test:simt` has one. */
import { describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { Generator } from '../../ts/index';
import type { Device } from '../../ts/native/device';
import { Hrm } from '../../ts/hrm/model';
import { modelConfig } from '../../ts/hrm/config';
import { parseConfig } from '../../ts/train/config';
import { presetLayer } from '../../ts/train/presets';
import { parity } from '../../ts/train/parity';
import { TrainStep } from '../../ts/train/step';
import { testedDevices } from '../support/devices';

const device = testedDevices()[0]!;
const onDevice = device === 'cpu' ? describe.skip : describe;

/** Rows of a batch: digits, some cells not scored. */
function batchOf(seed: number, batchSize: number, seqLen: number) {
  const token = (i: number, of: number) => (Math.imul(i + 1, 2654435761 + seed) >>> 8) % of;
  const inputs = Int32Array.from({ length: batchSize * seqLen }, (_, i) => 1 + token(i, 5));
  return {
    inputs,
    labels: inputs.slice(),
    puzzleIdentifiers: new Int32Array(batchSize),
    nValid: batchSize,
    setName: 'all',
  };
}

function lossesOf(where: Device, mlpT: boolean): number[] {
  const settings = {
    hidden: 16,
    nHeads: 2,
    hLayers: 1,
    lLayers: 2,
    seqLen: 8,
    vocabSize: 6,
    haltMaxSteps: 3,
    expansion: 2,
  };
  const config = modelConfig({
    ...settings,
    ...(mlpT ? { mlpT, posEncodings: 'none' as const } : {}),
    puzzleEmbNdim: 16,
  });
  const model = new Hrm(config, new Generator(3)).to(where);
  const { optim } = parseConfig([presetLayer('demo-4x4')]);
  const step = new TrainStep(model, {
    optim,
    totalSteps: 10,
    batchSize: 3,
    generator: new Generator(4, { device: where }),
  });
  for (let i = 1; i <= 3; ++i) step.run(i, batchOf(i, 3, 8));
  const losses = step.read(0).map(({ loss }) => loss);
  step.dispose();
  model.dispose();
  return losses;
}

onDevice(`training on ${device}`, () => {
  it.each([false, true])('has the losses of the CPU (mlpT %s), and the same ones again', (mlpT) => {
    const [there, again, here] = [lossesOf(device, mlpT), lossesOf(device, mlpT), lossesOf('cpu', mlpT)];
    expect(again).toEqual(there);
    there.forEach((loss, i) => {
      expect(Math.abs(loss - here[i]!) / here[i]!).toBeLessThan(1e-4);
    });
  });

  const shared = process.env['HRM_SHARED'];
  it.each(['s16_rope_stablemax', 's16_learned_softmax'])('agrees with the reference: %s', (name) => {
    const folder = shared === undefined ? '' : path.join(shared, 'parity', name);
    if (!existsSync(folder)) {
      process.stderr.write(`skipped: parity on ${device}: HRM_SHARED has no ${name}\n`);
      return;
    }
    const wrong = parity(folder, device).filter((row) => !row.ok);
    expect(wrong.map(({ name: tensor, error }) => `${tensor}: ${error}`)).toEqual([]);
  });
});
