"""The cases and rows of the yardstick; nothing here needs PyTorch, so that they can be listed without it.

A row is named measure/case/mode. Modes: `eager`; `compile` (torch.compile by parts); `graph` (eager kernels in one CUDA
graph a step); `compile-graph` (compiled kernels in one); `whole-graph` (compiled a segment at once, in one).
"""

import dataclasses

from .config import Config

OFFICIAL = Config(forward_dtype='bfloat16')
SMALL = dataclasses.replace(OFFICIAL, hidden_size=128, num_heads=2, H_layers=2, L_layers=2, puzzle_emb_ndim=128)
MAZE = dataclasses.replace(OFFICIAL, seq_len=900, vocab_size=6)
CASES = {
    'sudoku-1': dataclasses.replace(OFFICIAL, batch_size=1),
    'sudoku-96': dataclasses.replace(OFFICIAL, batch_size=96),
    'sudoku-384': dataclasses.replace(OFFICIAL, batch_size=384),
    'sudoku-768': dataclasses.replace(OFFICIAL, batch_size=768),
    'maze-96': dataclasses.replace(MAZE, batch_size=96),
    'small-256': dataclasses.replace(SMALL, batch_size=256),
}
# Sizes that a CPU does in a second: a rehearsal, whose figures say nothing.
REHEARSAL = {
    name: dataclasses.replace(
        config,
        batch_size=min(2, config.batch_size),
        seq_len=min(20, config.seq_len),
        hidden_size=64,
        num_heads=1,
        H_layers=1,
        L_layers=1,
        puzzle_emb_ndim=64,
    )
    for name, config in CASES.items()
}
MODES = ('eager', 'compile', 'compile-graph')
ATTENTION = {'s82-b384': (384, 82), 's901-b96': (96, 901)}
SOLVE_SEGMENTS = 16
# Seconds that a row may take on a card, compiling included: what a budget is planned with. What is captured finds the
# compiler's files of the row before it.
SECONDS = {'eager': 10, 'graph': 12, 'compile': 40, 'compile-graph': 25, 'whole-graph': 120, 'flash': 4, 'cudnn': 4}


def rows(parity_sets=()):
    """[{row, essential, seconds}], the essential ones first; parity_sets are folders of reference outputs."""
    essential = [f'{name}/{mode}' for name in ('step/sudoku-384', 'solve/sudoku-1') for mode in MODES]
    names = [f'parity/{name}/{mode}' for name in parity_sets for mode in ('eager', 'compile-graph')]
    names += [f'step/{case}/{mode}' for case in ('sudoku-96', 'small-256', 'sudoku-768', 'maze-96') for mode in MODES]
    names += [f'segment/sudoku-384/{mode}' for mode in MODES]
    names += [
        f'attention/{case}-{direction}/{backend}'
        for case in ATTENTION
        for backend in ('flash', 'cudnn')
        for direction in ('forward', 'both')
    ]
    names += ['step/sudoku-384/graph', 'solve/sudoku-1/graph', 'step/sudoku-384/whole-graph']
    return [
        {'row': name, 'essential': name in essential, 'seconds': SECONDS[name.rsplit('/', 1)[1]]}
        for name in essential + names
    ]
