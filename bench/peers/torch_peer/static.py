"""Steps over fixed buffers: what they read and write stays where it is, and nothing is read on the host.

So each can be captured into one CUDA graph (`capture`) and replayed. Without a capture they are ordinary functions,
equal to the plain step bit for bit on a CPU, which is how they are tested.
"""

import torch

from . import act, optim

METRICS = (
    'count accuracy exact_accuracy q_halt_accuracy steps lm_loss q_halt_loss loss_total_sum q_continue_loss'.split()
)


def tensors_of(carry):
    return [carry.z_H, carry.z_L, carry.steps, carry.halted, *carry.batch]


def copy_into(buffers, values):
    for buffer, value in zip(buffers, values):
        buffer.copy_(value)


def clone(carry):
    z_H, z_L, steps, halted, *batch = (tensor.clone() for tensor in tensors_of(carry))
    return act.Carry(z_H, z_L, steps, halted, act.Batch(*batch))


def copies_of(model):
    """Leaves in forward dtype, one a parameter; the parameters themselves in fp32."""
    parameters = list(model.parameters())
    if model.dtype == torch.float32:
        return parameters
    return [parameter.detach().to(model.dtype).requires_grad_() for parameter in parameters]


@torch.no_grad()
def frozen(model):
    """Weights in forward dtype for calls without gradient, cast once."""
    return model.cast()


class TrainingStep:
    """Segment, gradients and both optimisers. fp32 masters; the weights in forward dtype are refreshed by the update.

    Buffers to write between steps: `batch` (the rows offered) and `lr`; to read: `metrics`, in the order of METRICS.
    """

    def __init__(self, model, batch, carry, lr=1e-4, weight_decay=1.0):
        self.model = model
        self.batch = act.Batch(*(tensor.clone() for tensor in batch))
        self.carry = clone(carry)
        device = self.carry.steps.device
        self.lr = torch.full((), lr, dtype=torch.float64, device=device)
        self.weight_decay = weight_decay
        self.metrics = torch.zeros(len(METRICS), dtype=torch.float64, device=device)
        self.leaves = copies_of(model)
        names = [name for name, _ in model.named_parameters()]
        self.weights = model.bind(dict(zip(names, self.leaves)))
        copies = None if model.dtype == torch.float32 else self.leaves
        self.optimizer = optim.AdamATan2(model.parameters(), copies, weight_decay=weight_decay)

    def gradients(self):
        """(what the segment gave, gradients of the leaves, gradient of the puzzle rows or None)."""
        step = act.run_segment(self.model, self.carry, self.batch, True, self.weights)
        rows = [] if step.puzzle_rows is None else [step.puzzle_rows]
        grads = torch.autograd.grad(step.loss / self.model.config.batch_size, self.leaves + rows)
        return step, grads[: len(self.leaves)], grads[-1] if rows else None

    def __call__(self):
        step, grads, puzzle_grad = self.gradients()
        self.optimizer.step(grads, self.lr)
        if puzzle_grad is not None:
            ids = step.carry.batch.puzzle_identifiers
            optim.sign_sgd(self.model.puzzle_emb.weights, ids, puzzle_grad, self.lr, self.weight_decay)
        copy_into(tensors_of(self.carry), tensors_of(step.carry))
        zero = self.metrics.new_zeros(())
        self.metrics.copy_(torch.stack([step.metrics.get(name, zero).double() for name in METRICS]))


class EvaluationSegment:
    """One segment without gradient, losses and metrics included; the carry stays, so every call does the same."""

    def __init__(self, model, batch, carry):
        self.model, self.batch, self.carry = model, batch, carry
        self.weights = frozen(model)
        self.logits = None

    def __call__(self):
        self.logits = act.run_segment(self.model, self.carry, self.batch, False, self.weights).output.logits


class Solve:
    """`segments` segments from the initial states: `answer` [B, seqLen] and `q_halt` [segments, B] for `inputs`.

    The logits are computed once, at the end, and the input embedding once, at the start.
    """

    def __init__(self, model, inputs, puzzle_identifiers, segments):
        self.model, self.segments = model, segments
        self.inputs, self.puzzle_identifiers = inputs.clone(), puzzle_identifiers.clone()
        self.weights = frozen(model)
        self.answer = torch.zeros_like(inputs)
        self.q_halt = torch.zeros(segments, len(inputs), device=inputs.device)

    @torch.no_grad()
    def __call__(self):
        model, weights = self.model, self.weights
        rows = model.puzzle_emb.weights[self.puzzle_identifiers] if model.config.puzzle_emb_ndim > 0 else None
        x = model.embed(self.inputs, rows, weights)
        z_H, z_L = (init.expand_as(x).contiguous() for init in (model.H_init, model.L_init))
        q_halt = []
        for _ in range(self.segments):
            z_H, z_L = model.recur(z_H, z_L, x, weights)
            q_halt.append(model.halt_logits(z_H, weights)[0])
        self.q_halt.copy_(torch.stack(q_halt))
        self.answer.copy_(model.logits(z_H, weights).argmax(-1))


def capture(function, warm_ups=3):
    """A CUDA graph of the function; returns its replay.

    The warm-ups, on a stream of their own as capture demands, compile, choose algorithms and grow the pools.
    """
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(warm_ups):
            function()
    torch.cuda.current_stream().wait_stream(stream)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        function()
    return graph.replay
