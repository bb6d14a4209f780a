#!/usr/bin/env python3
"""Checkpoints as the official code saves them, and logits of a plain PyTorch model with their weights.

`build DIR` writes checkpoints, inputs and logits; `load FILE LOGITS...` loads safetensors files into the model (strictly)
and writes their logits. The model is that of the benches, which matches the official code's stored outputs.
"""

import collections
import json
import os
import struct
import sys

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../bench/peers'))
from torch_peer import act, config as configuration  # noqa: E402
from torch_peer.model import Hrm  # noqa: E402

SIZES = {
    'batch_size': 4, 'seq_len': 16, 'vocab_size': 6, 'puzzle_emb_ndim': 40, 'num_puzzle_identifiers': 3, 'hidden_size': 32,
    'num_heads': 4, 'H_layers': 2, 'L_layers': 1, 'H_cycles': 2, 'L_cycles': 3, 'halt_max_steps': 3,
}
PREFIX = 'model.inner.'


def make(pos_encodings):
    model = Hrm(configuration.Config(pos_encodings=pos_encodings, **SIZES))
    # What starts at zero would hide a mistake.
    torch.nn.init.normal_(model.q_head.weight, std=0.3)
    torch.nn.init.normal_(model.puzzle_emb.weights, std=0.3)
    return model


def batch():
    rng = np.random.default_rng(1)
    inputs = torch.from_numpy(rng.integers(1, 6, (SIZES['batch_size'], SIZES['seq_len']), dtype=np.int32))
    ids = torch.tensor([0, 1, 2, 1])
    return act.Batch(inputs, inputs.long(), ids)


def logits(model):
    """Of the last segment, with the Q values behind them: [B, seqLen * V + 2]."""
    carry = act.empty_carry(model, batch())
    for _ in range(model.config.halt_max_steps):
        step = act.run_segment(model, carry, batch(), training=False)
        carry = step.carry
    output = step.output
    return torch.cat((output.logits.flatten(1), output.q_halt[:, None], output.q_continue[:, None]), 1).float().numpy()


def state_dict(model, dtype, prefix=''):
    return collections.OrderedDict((prefix + PREFIX + key, value.to(dtype)) for key, value in model.state_dict().items())


def strided(state):
    """The same values in every layout that torch.save keeps: transposed, with steps, at offsets of a shared storage."""
    shared = torch.cat([value.flatten() for value in state.values()])
    views, offset = collections.OrderedDict(), 0
    for number, (key, value) in enumerate(state.items()):
        if number % 3 == 0:
            views[key] = shared[offset : offset + value.numel()].view(value.shape)
        elif number % 3 == 1 and value.dim() == 2:
            views[key] = value.t().contiguous().t()
        else:
            views[key] = torch.nn.Parameter(torch.repeat_interleave(value, 2, -1)[..., ::2])
        offset += value.numel()
    return views


def build(directory):
    torch.manual_seed(0)
    at = lambda name: os.path.join(directory, name)
    np.save(at('inputs.npy'), batch().inputs.numpy())
    np.save(at('ids.npy'), batch().puzzle_identifiers.int().numpy())
    for pos_encodings in ('rope', 'learned'):
        model = make(pos_encodings)
        for dtype, short in ((torch.float32, 'fp32'), (torch.bfloat16, 'bf16')):
            state = state_dict(model, dtype)
            model.load_state_dict({key[len(PREFIX) :]: value for key, value in state.items()})
            np.save(at(f'{pos_encodings}_{short}.npy'), logits(model))
            torch.save(state, at(f'{pos_encodings}_{short}'))
            torch.save(state_dict(model, dtype, '_orig_mod.'), at(f'{pos_encodings}_{short}_compiled'))
            torch.save({'model': state, 'step': 3, 'args': {'lr': 1e-4}}, at(f'{pos_encodings}_{short}_nested'))
            torch.save(strided(state), at(f'{pos_encodings}_{short}_strided'))
            torch.save(state, at(f'{pos_encodings}_{short}_protocol4'), pickle_protocol=4)
    torch.save(state, at('legacy'), _use_new_zipfile_serialization=False)
    torch.save(torch.nn.Linear(2, 2), at('module'))


def read_safetensors(path):
    dtypes = {'F32': torch.float32, 'BF16': torch.bfloat16}
    with open(path, 'rb') as file:
        (length,) = struct.unpack('<Q', file.read(8))
        header = json.loads(file.read(length))
        data = bytearray(file.read())
    tensors = {}
    for name, entry in header.items():
        if name == '__metadata__':
            continue
        begin, end = entry['data_offsets']
        tensors[name] = torch.frombuffer(data[begin:end], dtype=dtypes[entry['dtype']]).view(entry['shape'])
    return tensors


def load(paths):
    for path, out in zip(paths[::2], paths[1::2]):
        state = read_safetensors(path)
        names = {key: key.replace('_orig_mod.', '') for key in state}
        assert all(name.startswith(PREFIX) for name in names.values()), sorted(names)
        model = make('learned' if PREFIX + 'embed_pos.embedding_weight' in names.values() else 'rope')
        model.load_state_dict({names[key][len(PREFIX) :]: value for key, value in state.items()}, strict=True)
        np.save(out, logits(model))


if __name__ == '__main__':
    torch.set_num_threads(1)
    if sys.argv[1] == 'build':
        build(sys.argv[2])
    else:
        load(sys.argv[2:])
