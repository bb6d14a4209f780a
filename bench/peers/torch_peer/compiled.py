"""torch.compile of the model (2.x): by parts, as the fastest to compile, or a segment at once, as the official code does.

By parts means one level application (with gradient and without), the embedding and the losses: 16 of the same level a
step share one compilation. What is lost against the whole is one fused sum at each border.
"""

import torch


def graph_breaks():
    """How often the compiler gave a function up half-way in this process; 0 is what a fair figure needs."""
    from torch._dynamo.utils import counters

    return sum(counters['graph_break'].values())


def forget():
    """Of what was compiled in this process, and of its counts. The files that compiling left are used again."""
    if not hasattr(torch, 'compile'):
        return
    from torch._dynamo.utils import counters

    torch._dynamo.reset()
    counters.clear()


def wrap(function):
    return torch.compile(function, dynamic=False)


def compile_parts(model):
    model.functional = True
    model.embed, model.level, model.losses = wrap(model.embed), wrap(model.level), wrap(model.losses)


def compile_whole(model):
    model.functional = True
    model.segment_of_rows = wrap(model.segment_of_rows)


def compile_optimizer(optimizer):
    from .optim import update_each

    optimizer.update = wrap(update_each)
