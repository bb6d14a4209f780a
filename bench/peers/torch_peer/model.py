"""The network and its recurrence (arXiv 2506.21734), written for speed in plain PyTorch.

Shapes: B batch, S tokens (puzzle tokens first), D hidden, H heads, d = D / H, F SwiGLU inner size, V vocabulary.
Where no gradient is recorded, blocks overwrite their own input: every level call starts from a fresh sum.
"""

import math
from collections import namedtuple

import torch
import torch.nn as nn
import torch.nn.functional as F

BlockWeights = namedtuple('BlockWeights', 'qkv o gate_up down')
Weights = namedtuple('Weights', 'H L lm_head q_head q_bias')
Output = namedtuple('Output', 'z_H z_L logits q_halt q_continue')

HAS_SDPA = hasattr(F, 'scaled_dot_product_attention')
# A normal cut at +-2 has this standard deviation, so a parent of std / this gives the stated one.
TRUNCATED_STD = 0.87962566103423978


def truncated_normal(shape, std):
    parent = std / TRUNCATED_STD
    return nn.init.trunc_normal_(torch.empty(shape), std=parent, a=-2 * parent, b=2 * parent)


def weight(out_features, in_features, std=None):
    holder = nn.Module()
    holder.weight = nn.Parameter(truncated_normal((out_features, in_features), std or in_features**-0.5))
    return holder


def embedding(rows, width):
    holder = nn.Module()
    holder.embedding_weight = nn.Parameter(truncated_normal((rows, width), width**-0.5))
    return holder


def block_module(config):
    block = nn.Module()
    block.self_attn = nn.Module()
    block.self_attn.qkv_proj = weight(3 * config.hidden_size, config.hidden_size)
    block.self_attn.o_proj = weight(config.hidden_size, config.hidden_size)
    block.mlp = nn.Module()
    block.mlp.gate_up_proj = weight(2 * config.inner_size, config.hidden_size)
    block.mlp.down_proj = weight(config.hidden_size, config.inner_size)
    return block


def level_module(config, layers):
    level = nn.Module()
    level.layers = nn.ModuleList(block_module(config) for _ in range(layers))
    return level


def rope_tables(config):
    """cos and sin [S, d] in fp32, rotate-half convention."""
    half = torch.arange(0, config.head_dim, 2, dtype=torch.float32) / config.head_dim
    angles = torch.outer(torch.arange(config.tokens, dtype=torch.float32), 1.0 / config.rope_theta**half)
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos(), angles.sin()


def rotate(qk, cos, signed_sin):
    """Rotary embedding of q and k in fp32; rotate-half is a roll by d/2 whose sign sits in signed_sin."""
    half = qk.shape[-1] // 2
    wide = qk.float()
    turned = wide * cos
    if torch.is_grad_enabled():
        turned = torch.addcmul(turned, wide.roll(half, -1), signed_sin)
    else:
        turned[..., :half].addcmul_(wide[..., half:], signed_sin[:, :half])
        turned[..., half:].addcmul_(wide[..., :half], signed_sin[:, half:])
    return turned.to(qk.dtype)


def scaled_attention(q, k, v):
    """q, k, v [B, H, S, d] -> [B, H, S, d]."""
    if HAS_SDPA:
        return F.scaled_dot_product_attention(q, k, v)
    b, h, s, d = q.shape
    scores = torch.bmm(q.reshape(b * h, s, d), k.reshape(b * h, s, d).transpose(1, 2))
    if torch.is_grad_enabled():
        scores = scores * d**-0.5
    else:
        scores.mul_(d**-0.5)
    return torch.bmm(torch.softmax(scores, -1), v.reshape(b * h, s, d)).view(b, h, s, d)


def add_product_and_normalise(h, x, w, eps):
    """rmsNorm(h + x w^T) over rows, the sum inside the GEMM; overwrites h where no gradient is recorded."""
    in_place = not torch.is_grad_enabled()
    h = h.addmm_(x, w.t()) if in_place else torch.addmm(h, x, w.t())
    h32 = h.float()
    scale = torch.linalg.vector_norm(h32, dim=-1, keepdim=True).square().mul(1.0 / h.shape[-1]).add(eps).rsqrt()
    return h32.mul_(scale).to(h.dtype) if in_place else (h32 * scale).to(h.dtype)


class Hrm(nn.Module):
    """Parameters under the reference's names, below `model.inner.`."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.dtype = getattr(torch, config.forward_dtype)
        d = config.hidden_size
        self.embed_tokens = embedding(config.vocab_size, d)
        if config.pos_encodings == 'learned':
            self.embed_pos = embedding(config.tokens, d)
        self.H_level = level_module(config, config.H_layers)
        self.L_level = level_module(config, config.L_layers)
        self.lm_head = weight(config.vocab_size, d)
        self.q_head = weight(2, d)
        self.q_head.weight.data.zero_()
        self.q_head.bias = nn.Parameter(torch.full((2,), -5.0))
        self.register_buffer('H_init', truncated_normal((d,), 1.0).to(self.dtype))
        self.register_buffer('L_init', truncated_normal((d,), 1.0).to(self.dtype))
        if config.puzzle_emb_ndim > 0:
            self.puzzle_emb = nn.Module()
            zeros = torch.zeros(config.num_puzzle_identifiers, config.puzzle_emb_ndim)
            self.puzzle_emb.register_buffer('weights', zeros)
        if config.pos_encodings == 'rope':
            cos, sin = rope_tables(config)
            half = config.head_dim // 2
            self.register_buffer('rope_cos', cos, persistent=False)
            signed = torch.cat((-sin[:, :half], sin[:, half:]), -1)
            self.register_buffer('rope_signed_sin', signed, persistent=False)

    def cast(self):
        """Every weight in forward dtype, once a step: the parameters themselves in fp32."""

        def blocks(level):
            return [
                BlockWeights(
                    layer.self_attn.qkv_proj.weight.to(self.dtype),
                    layer.self_attn.o_proj.weight.to(self.dtype),
                    layer.mlp.gate_up_proj.weight.to(self.dtype),
                    layer.mlp.down_proj.weight.to(self.dtype),
                )
                for layer in level.layers
            ]

        return Weights(
            blocks(self.H_level),
            blocks(self.L_level),
            self.lm_head.weight.to(self.dtype),
            self.q_head.weight.to(self.dtype),
            self.q_head.bias.to(self.dtype),
        )

    def embed(self, inputs, puzzle_rows):
        """Input embedding x [B, S, D], times sqrt(D); puzzle_rows [B, ndim] are rows of the puzzle embedding."""
        config = self.config
        x = F.embedding(inputs, self.embed_tokens.embedding_weight.to(self.dtype))
        if config.puzzle_emb_ndim > 0:
            width = config.puzzle_emb_len * config.hidden_size
            rows = F.pad(puzzle_rows.to(self.dtype), (0, width - config.puzzle_emb_ndim))
            x = torch.cat((rows.view(-1, config.puzzle_emb_len, config.hidden_size), x), 1)
        if config.pos_encodings == 'learned':
            x = 0.707106781 * (x + self.embed_pos.embedding_weight.to(self.dtype))
        return math.sqrt(config.hidden_size) * x

    def block(self, h, w):
        """h [B * S, D]; post-norm attention and SwiGLU."""
        config = self.config
        shape = (-1, config.tokens, 3, config.num_heads, config.head_dim)
        qkv = F.linear(h, w.qkv).view(shape).permute(2, 0, 3, 1, 4).contiguous()
        if config.pos_encodings == 'rope':
            qk, v = qkv.split((2, 1))
            q, k = rotate(qk, self.rope_cos, self.rope_signed_sin).unbind(0)
            v = v[0]
        else:
            q, k, v = qkv.unbind(0)
        mixed = scaled_attention(q, k, v).transpose(1, 2).reshape(h.shape)
        h = add_product_and_normalise(h, mixed, w.o, config.rms_norm_eps)
        gate, up = F.linear(h, w.gate_up).chunk(2, -1)
        inner = F.silu(gate) * up if torch.is_grad_enabled() else F.silu(gate, inplace=True).mul_(up)
        return add_product_and_normalise(h, inner, w.down, config.rms_norm_eps)

    def level(self, h, blocks):
        """h [B, S, D] is z + injection, made for this call."""
        shape = h.shape
        h = h.view(-1, shape[-1])
        for w in blocks:
            h = self.block(h, w)
        return h.view(shape)

    def recur(self, z_H, z_L, x, weights):
        """One segment of H_cycles x L_cycles; only the last L and the last H call may carry gradient."""
        config = self.config
        with torch.no_grad():
            for i in range(config.H_cycles):
                last = i == config.H_cycles - 1
                injection = z_H + x
                for _ in range(config.L_cycles - last):
                    z_L = self.level(z_L + injection, weights.L)
                if not last:
                    z_H = self.level(z_H + z_L, weights.H)
        z_L = self.level(z_L + (z_H + x), weights.L)
        z_H = self.level(z_H + z_L, weights.H)
        return z_H, z_L

    def halt_logits(self, z_H, weights):
        q = F.linear(z_H[:, 0], weights.q_head, weights.q_bias).float()
        return q[:, 0], q[:, 1]

    def segment(self, z_H, z_L, x, weights):
        """One segment with its heads: logits [B, seqLen, V] in forward dtype, q in fp32, z attached to the graph."""
        z_H, z_L = self.recur(z_H, z_L, x, weights)
        logits = F.linear(z_H, weights.lm_head)[:, self.config.puzzle_emb_len :]
        return Output(z_H, z_L, logits, *self.halt_logits(z_H, weights))
