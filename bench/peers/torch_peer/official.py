"""The same network written the way the official code writes it: one PyTorch call for each operation of the formulas.

What the tuned network of model.py leaves out or overwrites is here: sums outside the GEMMs, norms and rotations in
several passes, new tensors everywhere, the puzzle's and all tokens' embeddings and logits in the second recurrence too.
"""

import torch
import torch.nn.functional as F

from . import act
from .model import Hrm


def rotate_half(x):
    first, second = x.chunk(2, -1)
    return torch.cat((-second, first), -1)


def rotated(x, cos, sin):
    """x [B, S, H, d] times the tables [S, d], in fp32."""
    wide = x.float()
    return (wide * cos[:, None] + rotate_half(wide) * sin[:, None]).to(x.dtype)


def rms_norm(x, eps):
    wide = x.float()
    return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)).to(x.dtype)


class OfficialStyleHrm(Hrm):
    def __init__(self, config):
        super().__init__(config)
        self.segment_of_rows = segment_of_rows
        if config.pos_encodings == 'rope':
            half = config.head_dim // 2
            signed = self.rope_signed_sin
            self.register_buffer('rope_sin', torch.cat((-signed[:, :half], signed[:, half:]), -1), persistent=False)

    def embed(self, inputs, puzzle_rows, weights):
        config = self.config
        x = F.embedding(inputs, weights.embed_tokens)
        if config.puzzle_emb_ndim > 0:
            width = config.puzzle_emb_len * config.hidden_size
            rows = F.pad(puzzle_rows.to(self.dtype), (0, width - config.puzzle_emb_ndim))
            x = torch.cat((rows.view(-1, config.puzzle_emb_len, config.hidden_size), x), -2)
        if config.pos_encodings == 'learned':
            x = 0.707106781 * (x + weights.embed_pos)
        return config.hidden_size**0.5 * x

    def attention(self, h, w, in_place):
        config = self.config
        qkv = F.linear(h, w.qkv).view(-1, config.tokens, 3 * config.num_heads, config.head_dim)
        q, k, v = qkv.chunk(3, 2)
        if config.pos_encodings == 'rope':
            q, k = rotated(q, self.rope_cos, self.rope_sin), rotated(k, self.rope_cos, self.rope_sin)
        q, k, v = (each.transpose(1, 2) for each in (q, k, v))
        scores = q @ k.transpose(-1, -2) * config.head_dim**-0.5
        return (torch.softmax(scores, -1) @ v).transpose(1, 2).reshape(h.shape)

    def block(self, h, w):
        eps = self.config.rms_norm_eps
        h = rms_norm(h + F.linear(self.attention(h, w, False), w.o), eps)
        gate, up = F.linear(h, w.gate_up).chunk(2, -1)
        return rms_norm(h + F.linear(F.silu(gate) * up, w.down), eps)

    def recur(self, z_H, z_L, x, weights):
        config = self.config
        with torch.no_grad():
            for i in range(config.H_cycles):
                for j in range(config.L_cycles):
                    if not (i == config.H_cycles - 1 and j == config.L_cycles - 1):
                        z_L = self.level(z_L, z_H + x, weights.L)
                if i != config.H_cycles - 1:
                    z_H = self.level(z_H, z_L, weights.H)
        z_L = self.level(z_L, z_H + x, weights.L)
        z_H = self.level(z_H, z_L, weights.H)
        return z_H, z_L


def segment_of_rows(model, carry, puzzle_rows, weights, training):
    """As act.segment_of_rows, but the second recurrence is a whole segment, as the official code runs it."""
    config = model.config
    inputs, labels, _ = carry.batch
    output = model.segment(carry.z_H, carry.z_L, model.embed(inputs, puzzle_rows, weights), weights)
    z_H, z_L = output.z_H.detach(), output.z_L.detach()
    steps = carry.steps + 1
    last_step = steps >= config.halt_max_steps
    halted = last_step
    target = None
    if training and config.halt_max_steps > 1:
        with torch.no_grad():
            halted = halted | act.explored(config, output, steps)
            following = model.segment(z_H, z_L, model.embed(inputs, puzzle_rows, weights), weights)
            best = torch.maximum(following.q_halt, following.q_continue)
            target = torch.where(last_step, following.q_halt, best).sigmoid()
    loss, metrics = model.losses(config, output, labels, halted, steps, target)
    return act.Carry(z_H, z_L, steps, halted, carry.batch), output, target, loss, metrics
