/** Official checkpoints that PyTorch wrote, and ours read by PyTorch. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { findTorchPython, peerScript } from '../../bench/peers/hrm_torch';
import { noGrad } from '../../ts/autograd/no_grad';
import { actStep, type BatchTensors, initialCarry } from '../../ts/hrm/act';
import type { Hrm } from '../../ts/hrm/model';
import { loadNpy } from '../../ts/io/tensors';
import { copy_ } from '../../ts/ops/cast';
import { concat } from '../../ts/ops/concat';
import '../../ts/ops/methods';
import { zeros } from '../../ts/tensor/create';
import { tidy } from '../../ts/tensor/scope';
import type { Tensor } from '../../ts/tensor/tensor';
import { loadOfficial, saveOfficial } from '../../ts/train/official';

const python = findTorchPython();
if (!python) console.warn('SKIPPED: checkpoints of PyTorch (no python3 with torch and numpy)');
const withTorch = python ? describe : describe.skip;

/** Of logits and Q values after the last segment, against PyTorch's own: float32 sums in another order. */
const MAX_RELATIVE_L2 = 1e-5;

withTorch('PyTorch', () => {
  const at = (name: string): string => path.join(directory, name);
  const script = path.resolve(peerScript, '../../../test/train/official_peer.py');
  const run = (...args: readonly string[]): void => {
    const { status, stderr } = spawnSync(python!, [script, ...args], {
      encoding: 'utf8',
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
    });
    expect({ status, stderr }).toMatchObject({ status: 0 });
  };
  // lCycles and the rest as in the script: what weights do not show.
  const settings = { nHeads: 4, hCycles: 2, lCycles: 3, haltMaxSteps: 3, seqLen: 16 } as const;
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(path.join(tmpdir(), 'hrm-official-torch-'));
    run('build', directory);
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  /** Logits and Q values of the last segment, [B, seqLen * V + 2]. */
  function logitsOf(model: Hrm): Tensor {
    const inputs = loadNpy(at('inputs.npy'));
    const batch: BatchTensors = { inputs, labels: inputs, puzzleIdentifiers: loadNpy(at('ids.npy')) };
    let carry = initialCarry(model, batch);
    for (let segment = 1; ; segment++) {
      const { carry: after, outputs } = actStep(model, carry, batch, { training: false });
      if (segment === model.config.haltMaxSteps) {
        const { logits, qHalt, qContinue } = outputs;
        return concat([logits.reshape([4, 96]), qHalt.reshape([4, 1]), qContinue.reshape([4, 1])], 1);
      }
      carry = { ...after, halted: zeros([4], { dtype: 'bool' }) };
    }
  }
  const distance = (a: Tensor, b: Tensor): number =>
    Math.sqrt(Number(a.sub(b).square().sum().item()) / Number(b.square().sum().item()));

  it.each(
    ['rope', 'learned'].flatMap((positions) =>
      ['fp32', 'bf16'].flatMap((dtype) =>
        ['', '_compiled', '_nested', '_strided', '_protocol4'].map((kind) => [`${positions}_${dtype}`, kind] as const),
      ),
    ),
  )('loads %s%s of torch.save and gives its logits', (name, kind) => {
    const { model, others } = loadOfficial(at(name + kind), { settings });
    expect(others).toEqual([]);
    expect(distance(logitsOf(model), loadNpy(at(`${name}.npy`)))).toBeLessThan(MAX_RELATIVE_L2);
  });

  it('notices one changed weight', () => {
    const { model } = loadOfficial(at('rope_fp32'), { settings });
    const weight = model.stateDict().get('L_level.layers.0.mlp.down_proj.weight')!;
    tidy(() => noGrad(() => copy_(weight, weight.mul(1.01))));
    expect(distance(logitsOf(model), loadNpy(at('rope_fp32.npy')))).toBeGreaterThan(10 * MAX_RELATIVE_L2);
  });

  it('loads what we write, strictly, with the same logits', () => {
    const files = ['rope', 'learned'].flatMap((positions) =>
      (['float32', 'bfloat16'] as const).map((dtype) => {
        const { model } = loadOfficial(at(`${positions}_fp32`), { settings });
        const file = at(`${positions}_${dtype}.safetensors`);
        saveOfficial(model, file, { dtype, prefix: dtype === 'bfloat16' ? '_orig_mod.' : '' });
        return file;
      }),
    );
    run('load', ...files.flatMap((file) => [file, `${file}.npy`]));
    for (const file of files) {
      const { model } = loadOfficial(file);
      expect(distance(logitsOf(model), loadNpy(`${file}.npy`))).toBeLessThan(MAX_RELATIVE_L2);
    }
  });

  it('writes two kinds of files that are refused with a hint', () => {
    expect(() => loadOfficial(at('legacy'))).toThrow(
      'the format of PyTorch before 1.6; load it in PyTorch and torch.save',
    );
    expect(() => loadOfficial(at('module'))).toThrow(
      /must name one of the types .* got "torch.nn.modules.linear.Linear".*state_dict/,
    );
  });
});
