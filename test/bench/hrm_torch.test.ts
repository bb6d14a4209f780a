import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { findTorchPython, peerScript, TorchPeer } from '../../bench/peers/hrm_torch';

const python = findTorchPython();
if (!python) console.warn('PyTorch peer: skipped, no python3 with torch and numpy (HRM_PEER_PYTHON names one)');
const withTorch = python ? describe : describe.skip;

const shared = process.env['HRM_SHARED'];
const parityRoot = path.join(shared ?? '', 'parity');
const references =
  shared === undefined
    ? []
    : readdirSync(parityRoot, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => entry.name);
if (shared === undefined) console.warn('PyTorch peer: parity skipped, HRM_SHARED is not set');

const parity = (folder: string, ...options: string[]) =>
  spawnSync(python ?? '', [peerScript, 'parity', folder, ...options], {
    encoding: 'utf8',
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
  });

withTorch('the PyTorch peer', () => {
  const withReferences = references.length > 0 ? it : it.skip;
  let peer: TorchPeer;
  beforeAll(() => {
    peer = new TorchPeer(python ?? '');
  });
  afterAll(() => peer.close());

  it('refuses what it cannot do and goes on', async () => {
    await expect(peer.step()).rejects.toThrow(/setup/);
    await expect(peer.setup({ hidden: 64, heads: 3 })).rejects.toThrow(/multiple of num_heads 3/);
    expect((await peer.versions()).torch).toMatch(/^\d+\.\d+/);
  });

  it('trains on its batch: the loss falls, the carry goes on', async () => {
    const model = await peer.setup({ hidden: 64, layers: 1, batch: 2, seq: 16, heads: 2 });
    // embedding and head 11 x 64 each, q head 2 x 64 + 2, two blocks of 192x64 + 64x64 + 512x64 + 64x256.
    expect(model.parameters).toBe(2 * 11 * 64 + 130 + 2 * 64 * (192 + 64 + 512 + 256));
    expect(model.stepFlops).toBeGreaterThan(2 * model.forwardFlops);
    const first = (await peer.step()).loss;
    let last = first;
    for (let step = 0; step < 40; step++) last = (await peer.step()).loss;
    expect(last).toBeLessThan(first - 0.05);
    expect((await peer.forward()).ms).toBeGreaterThan(0);
    const memory = await peer.memory();
    expect(memory.peakRssBytes).toBeGreaterThanOrEqual(memory.rssBytes);
    expect(memory.rssBytes).toBeGreaterThan(memory.rssAfterImportBytes);
  });

  it('steps over buffers as it steps plainly, and reads nothing on the host (its own tests)', () => {
    const result = spawnSync(python ?? '', [path.resolve(peerScript, '../../../test/bench/torch_peer_test.py')], {
      encoding: 'utf8',
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
    });
    expect({ status: result.status, end: result.stderr.trim().split('\n').at(-1) }).toMatchObject({
      status: 0,
      end: expect.stringMatching(/^OK/),
    });
  }, 300_000);

  withReferences.each(['plain', 'functional', 'eager'])('computes what the reference computes, as %s', (mode) => {
    const result = parity(parityRoot, '--mode', mode);
    expect(result.stdout.match(/^\d+ compared, 0 failed$/gm)).toHaveLength(references.length);
    expect(result.status).toBe(0);
  });

  withReferences('notices one changed weight', () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'hrm-peer-'));
    try {
      cpSync(path.join(parityRoot, references[0] ?? ''), folder, { recursive: true });
      const file = path.join(folder, 'ref.safetensors');
      const bytes = readFileSync(file);
      const headerBytes = Number(bytes.readBigUInt64LE(0));
      const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerBytes)) as Record<
        string,
        { data_offsets: [number, number] }
      >;
      const weight = header['weight.model.inner.L_level.layers.0.self_attn.o_proj.weight']!;
      const offset = 8 + headerBytes + weight.data_offsets[0];
      bytes.writeFloatLE(bytes.readFloatLE(offset) + 0.01, offset);
      writeFileSync(file, bytes);
      const result = parity(folder);
      expect(result.stdout).toContain('FAIL');
      expect(result.status).toBe(1);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
