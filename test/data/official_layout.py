#!/usr/bin/env python3
"""Dataset folders between numpy and this engine: `write DIR` as the official builders do, `load DIR SPLIT` as their loader."""

import json
import os
import sys

import numpy as np

FIELDS = ('inputs', 'labels', 'puzzle_identifiers', 'puzzle_indices', 'group_indices')


def write(directory):
    """Two sets, tokens in int64 (as the augmented Sudoku builder leaves them) and uint8, everything else int32."""
    rng = np.random.default_rng(0)
    sizes = {'train': {'all': [2, 1, 3], 'extra': [1]}, 'test': {'all': [1, 1]}}
    for split, sets in sizes.items():
        folder = os.path.join(directory, split)
        os.makedirs(folder)
        n_groups, n_examples, n_puzzles = 0, 0, 0
        for name, examples in sets.items():
            count = sum(examples)
            dtype = np.int64 if name == 'all' else np.uint8
            arrays = {
                'inputs': rng.integers(1, 11, (count, 9)).astype(dtype),
                'labels': rng.integers(0, 11, (count, 9)).astype(dtype),
                'puzzle_identifiers': np.arange(len(examples), dtype=np.int32) % 2,
                'puzzle_indices': np.cumsum([0, *examples]).astype(np.int32),
                'group_indices': np.arange(len(examples) + 1, dtype=np.int32),
            }
            for field, array in arrays.items():
                np.save(os.path.join(folder, f'{name}__{field}.npy'), array)
            n_groups, n_examples, n_puzzles = n_groups + len(examples), n_examples + count, n_puzzles + len(examples)
        metadata = {
            'seq_len': 9, 'vocab_size': 11, 'pad_id': 0, 'ignore_label_id': 0, 'blank_identifier_id': 0,
            'num_puzzle_identifiers': 2, 'total_groups': n_groups, 'mean_puzzle_examples': n_examples / n_puzzles,
            'sets': list(sets),
        }
        with open(os.path.join(folder, 'dataset.json'), 'w', encoding='utf-8') as file:
            json.dump(metadata, file)
    with open(os.path.join(directory, 'identifiers.json'), 'w', encoding='utf-8') as file:
        json.dump(['<blank>', 'a'], file)


def load(directory, split):
    """What batches are made of: int32 everywhere, ignored labels -100, one identifier an example."""
    with open(os.path.join(directory, split, 'dataset.json'), encoding='utf-8') as file:
        metadata = json.load(file)
    rows = {}
    for name in metadata['sets']:
        data = {field: np.load(os.path.join(directory, split, f'{name}__{field}.npy'), mmap_mode='r') for field in FIELDS}
        labels = data['labels'].astype(np.int32)
        if metadata['ignore_label_id'] is not None:
            labels[labels == metadata['ignore_label_id']] = -100
        puzzles = np.searchsorted(data['puzzle_indices'], np.arange(len(labels)), side='right') - 1
        ids = data['puzzle_identifiers'][puzzles]
        assert data['group_indices'][-1] == len(data['puzzle_identifiers'])
        assert data['inputs'].shape == labels.shape == (data['puzzle_indices'][-1], metadata['seq_len'])
        rows[name] = {'inputs': data['inputs'].astype(np.int32).tolist(), 'labels': labels.tolist(), 'ids': ids.tolist()}
    print(json.dumps({'rows': rows, 'metadata': metadata}))


if __name__ == '__main__':
    if sys.argv[1] == 'write':
        write(sys.argv[2])
    else:
        load(*sys.argv[2:])
