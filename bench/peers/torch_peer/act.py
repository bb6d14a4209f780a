"""Segments: carry with reset by select, halting with exploration, the Q target, losses and metrics."""

from collections import namedtuple

import torch
import torch.nn.functional as F

IGNORE = -100

Batch = namedtuple('Batch', 'inputs labels puzzle_identifiers')
Carry = namedtuple('Carry', 'z_H z_L steps halted batch')
Step = namedtuple('Step', 'carry output target_q_continue puzzle_rows loss metrics')


def empty_carry(model, batch):
    """A carry whose rows have all halted; its states are never read, so they are NaN."""
    config, device = model.config, batch.inputs.device
    state = torch.full((len(batch.inputs), config.tokens, config.hidden_size), float('nan'), dtype=model.dtype)
    state = state.to(device)
    steps = torch.zeros(len(batch.inputs), dtype=torch.int32, device=device)
    return Carry(state, state, steps, torch.ones_like(steps, dtype=torch.bool), batch)


def replace_halted(model, carry, batch):
    """Rows that had halted take the offered row, the initial states and step 0."""
    rows = carry.halted
    inputs, labels, ids = (
        torch.where(rows.view((-1,) + (1,) * (new.dim() - 1)), new, old) for new, old in zip(batch, carry.batch)
    )
    z_H = torch.where(rows[:, None, None], model.H_init, carry.z_H)
    z_L = torch.where(rows[:, None, None], model.L_init, carry.z_L)
    return Carry(z_H, z_L, carry.steps.masked_fill(rows, 0), rows, Batch(inputs, labels, ids))


def stablemax_cross_entropy(logits, labels):
    """Per token, in fp64: s(v) = v + 1 for v >= 0, else 1 / (1 - v + 1e-30)."""
    logits = logits.double()
    s = torch.where(logits < 0, 1 / (1 - logits + 1e-30), logits + 1)
    log_p = torch.log(s / s.sum(-1, keepdim=True))
    valid = labels != IGNORE
    picked = log_p.gather(-1, labels.masked_fill(~valid, 0)[..., None])[..., 0]
    return -picked.masked_fill(~valid, 0)


def softmax_cross_entropy(logits, labels):
    flat = F.cross_entropy(logits.float().flatten(0, -2), labels.flatten(), ignore_index=IGNORE, reduction='none')
    return flat.view(labels.shape)


LOSSES = {'stablemax_cross_entropy': stablemax_cross_entropy, 'softmax_cross_entropy': softmax_cross_entropy}


def losses(config, output, labels, halted, steps, target_q_continue):
    """(sum over rows of the loss, metrics over the rows that halted and have a label)."""
    mask = labels != IGNORE
    count = mask.sum(-1)
    divisor = count.clamp_min(1)
    with torch.no_grad():
        right = mask & (output.logits.argmax(-1) == labels)
        exact = right.sum(-1) == count
    lm_loss = (LOSSES[config.loss_type](output.logits, labels) / divisor[:, None]).sum()
    bce = F.binary_cross_entropy_with_logits
    q_halt_loss = bce(output.q_halt, exact.to(output.q_halt.dtype), reduction='sum')
    q_continue_loss = 0
    if target_q_continue is not None:
        q_continue_loss = bce(output.q_continue, target_q_continue, reduction='sum')
    total = lm_loss + 0.5 * (q_halt_loss + q_continue_loss)
    with torch.no_grad():
        counted = halted & (count > 0)
        metrics = {
            'count': counted.sum(),
            'accuracy': (right.sum(-1).float() / divisor).masked_fill(~counted, 0).sum(),
            'exact_accuracy': (counted & exact).sum(),
            'q_halt_accuracy': (counted & ((output.q_halt >= 0) == exact)).sum(),
            'steps': steps.masked_fill(~counted, 0).sum(),
            'lm_loss': lm_loss.detach(),
            'q_halt_loss': q_halt_loss.detach(),
            'loss_total_sum': total.detach(),
        }
        if target_q_continue is not None:
            metrics['q_continue_loss'] = q_continue_loss.detach()
    return total, metrics


def explored(config, output, steps):
    """Which rows halt before the last step: qHalt > qContinue, but not before a randomly drawn least number of steps."""
    halted = output.q_halt > output.q_continue
    explore = torch.rand_like(output.q_halt) < config.halt_exploration_prob
    return halted & (steps >= explore * torch.randint_like(steps, 2, config.halt_max_steps + 1))


def q_target(model, z_H, z_L, x, weights, last_step):
    """The target of qContinue: the recurrence again, from the new carry, only for its q."""
    next_z_H, _ = model.recur(z_H, z_L, x, weights)
    next_halt, next_continue = model.halt_logits(next_z_H, weights)
    return torch.where(last_step, next_halt, torch.maximum(next_halt, next_continue)).sigmoid()


def segment_of_rows(model, carry, puzzle_rows, weights, training):
    """One segment for rows that are in place: (new carry, output, target of qContinue, loss, metrics)."""
    config = model.config
    inputs, labels, _ = carry.batch
    x = model.embed(inputs, puzzle_rows, weights)
    output = model.segment(carry.z_H, carry.z_L, x, weights)
    z_H, z_L = output.z_H.detach(), output.z_L.detach()
    steps = carry.steps + 1
    last_step = steps >= config.halt_max_steps
    halted = last_step
    target = None
    if training and config.halt_max_steps > 1:
        with torch.no_grad():
            halted = halted | explored(config, output, steps)
            target = q_target(model, z_H, z_L, x, weights, last_step)
    loss, metrics = model.losses(config, output, labels, halted, steps, target)
    return Carry(z_H, z_L, steps, halted, carry.batch), output, target, loss, metrics


def run_segment(model, carry, batch, training, weights=None):
    """One segment for the batch: in training with the graph of its loss, in evaluation under no_grad.

    weights are those of `Hrm.bind`; by default the parameters are cast for this segment.
    """
    with torch.set_grad_enabled(training):
        carry = replace_halted(model, carry, batch)
        puzzle_rows = None
        if model.config.puzzle_emb_ndim > 0:
            puzzle_rows = model.puzzle_emb.weights[carry.batch.puzzle_identifiers].requires_grad_(training)
        weights = model.cast() if weights is None else weights
        carry, output, target, loss, metrics = model.segment_of_rows(model, carry, puzzle_rows, weights, training)
    return Step(carry, output, target, puzzle_rows, loss, metrics)
