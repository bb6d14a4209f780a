"""A model with random data and a live carry, to time and to weigh."""

import time

import torch

from . import act, compiled, optim
from .model import Hrm


def random_batch(config, device):
    shape = (config.batch_size, config.seq_len)
    return act.Batch(
        torch.randint(1, config.vocab_size, shape, device=device),
        torch.randint(1, config.vocab_size, shape, device=device),
        torch.randint(0, config.num_puzzle_identifiers, (config.batch_size,), device=device),
    )


class Workload:
    """Forward and training step at one size; weights, batch and carry are those of a run after its first segment."""

    def __init__(self, config, device='cpu', compile_level=False, seed=0):
        torch.manual_seed(seed)
        self.config = config
        self.device = torch.device(device)
        self.model = Hrm(config).to(self.device)
        if compile_level:
            compiled.compile_parts(self.model)
        self.optimizer = optim.AdamATan2(self.model.parameters())
        self.lr = torch.zeros((), dtype=torch.float64, device=self.device)
        self.batch = random_batch(config, self.device)
        self.carry = act.empty_carry(self.model, self.batch)
        self.carry = act.run_segment(self.model, self.carry, self.batch, training=False).carry

    def now_ms(self):
        if self.device.type == 'cuda':
            torch.cuda.synchronize(self.device)
        return time.perf_counter() * 1e3

    def forward(self):
        """One evaluation segment; the carry stays, so every call does the same."""
        start = self.now_ms()
        act.run_segment(self.model, self.carry, self.batch, training=False)
        return {'ms': self.now_ms() - start}

    def step(self, lr=1e-4):
        """One training step: two recurrences, backward, both optimizers; the carry goes on."""
        start = self.now_ms()
        step = act.run_segment(self.model, self.carry, self.batch, training=True)
        segment_end = self.now_ms()
        (step.loss / self.config.batch_size).backward()
        backward_end = self.now_ms()
        self.lr.fill_(lr)
        self.optimizer.step([p.grad for p in self.model.parameters()], self.lr)
        self.model.zero_grad(set_to_none=True)
        if step.puzzle_rows is not None:
            ids = step.carry.batch.puzzle_identifiers
            optim.sign_sgd(self.model.puzzle_emb.weights, ids, step.puzzle_rows.grad, self.lr, weight_decay=1.0)
        end = self.now_ms()
        self.carry = step.carry
        return {
            'ms': end - start,
            'segmentMs': segment_end - start,
            'backwardMs': backward_end - segment_end,
            'optimizerMs': end - backward_end,
            'loss': step.metrics['loss_total_sum'].item() / self.config.batch_size,
        }
