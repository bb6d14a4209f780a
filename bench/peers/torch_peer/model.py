"""The network and its recurrence (arXiv 2506.21734), written for speed in plain PyTorch.

Shapes: B batch, S tokens (puzzle tokens first), D hidden, H heads, d = D / H, F SwiGLU inner size, V vocabulary.
Where no gradient is recorded, blocks overwrite their own input: every level call starts from a fresh sum. What is
compiled stays functional instead (`Hrm.functional`): the compiler decides what to overwrite, and to fuse.
"""

import math
from collections import namedtuple

import torch
import torch.nn as nn
import torch.nn.functional as F

from . import act

BlockWeights = namedtuple('BlockWeights', 'qkv o gate_up down')
Weights = namedtuple('Weights', 'H L lm_head q_head q_bias embed_tokens embed_pos')
Output = namedtuple('Output', 'z_H z_L logits q_halt q_continue')

HAS_SDPA = hasattr(F, 'scaled_dot_product_attention')
HAS_RMS_NORM = hasattr(F, 'rms_norm')
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


def rotate(qk, cos, signed_sin, in_place):
    """Rotary embedding of q and k in fp32; rotate-half is a roll by d/2 whose sign sits in signed_sin."""
    half = qk.shape[-1] // 2
    wide = qk.float()
    turned = wide * cos
    if in_place:
        turned[..., :half].addcmul_(wide[..., half:], signed_sin[..., :half])
        turned[..., half:].addcmul_(wide[..., :half], signed_sin[..., half:])
    else:
        turned = torch.addcmul(turned, wide.roll(half, -1), signed_sin)
    return turned.to(qk.dtype)


def attention_products(q, k, v, in_place):
    """What scaled_dot_product_attention computes, for versions without it: q, k, v [B, H, S, d] -> [B, H, S, d]."""
    b, h, s, d = q.shape
    scores = torch.bmm(q.reshape(b * h, s, d), k.reshape(b * h, s, d).transpose(1, 2))
    scores = scores.mul_(d**-0.5) if in_place else scores * d**-0.5
    return torch.bmm(torch.softmax(scores, -1), v.reshape(b * h, s, d)).view(b, h, s, d)


class TokenRows(torch.autograd.Function):
    """F.embedding whose gradient is one product with the one-hot tokens.

    A table of ten rows is what the stock gradients are worst at: thousands of atomic additions to each element (as
    compiled), or a sort and a scratch of the size of the activations.
    """

    @staticmethod
    def forward(ctx, tokens, table):
        ctx.save_for_backward(tokens)
        ctx.rows = table.shape[0]
        return F.embedding(tokens, table)

    @staticmethod
    def backward(ctx, grad):
        (tokens,) = ctx.saved_tensors
        # Columns of a multiple of 8, which tensor cores want.
        columns = torch.arange(-(-ctx.rows // 8) * 8, device=tokens.device)
        one_hot = (tokens.flatten()[:, None] == columns).to(grad.dtype)
        return None, (one_hot.t() @ grad.flatten(0, -2))[: ctx.rows]


class Hrm(nn.Module):
    """Parameters under the reference's names, below `model.inner.`."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.dtype = getattr(torch, config.forward_dtype)
        # As attributes, so that compiled ones can take their place.
        self.losses, self.segment_of_rows = act.losses, act.segment_of_rows
        # Nothing is overwritten: what is compiled, or must be.
        self.functional = False
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

    def bind(self, tensors):
        """The weights as the network uses them, from {parameter name: tensor}: the parameters or copies of them."""

        def blocks(level, layers):
            names = ('self_attn.qkv_proj', 'self_attn.o_proj', 'mlp.gate_up_proj', 'mlp.down_proj')
            return [
                BlockWeights(*(tensors[f'{level}.layers.{layer}.{name}.weight'] for name in names))
                for layer in range(layers)
            ]

        return Weights(
            blocks('H_level', self.config.H_layers),
            blocks('L_level', self.config.L_layers),
            tensors['lm_head.weight'],
            tensors['q_head.weight'],
            tensors['q_head.bias'],
            tensors['embed_tokens.embedding_weight'],
            tensors.get('embed_pos.embedding_weight'),
        )

    def cast(self):
        """Every weight in forward dtype, once a step: the parameters themselves in fp32."""
        return self.bind({name: parameter.to(self.dtype) for name, parameter in self.named_parameters()})

    def embed(self, inputs, puzzle_rows, weights):
        """Input embedding x [B, S, D], times sqrt(D); puzzle_rows [B, ndim] are rows of the puzzle embedding."""
        config = self.config
        x = TokenRows.apply(inputs, weights.embed_tokens)
        if config.puzzle_emb_ndim > 0:
            width = config.puzzle_emb_len * config.hidden_size
            rows = F.pad(puzzle_rows.to(self.dtype), (0, width - config.puzzle_emb_ndim))
            x = torch.cat((rows.view(-1, config.puzzle_emb_len, config.hidden_size), x), 1)
        if config.pos_encodings == 'learned':
            x = 0.707106781 * (x + weights.embed_pos)
        return math.sqrt(config.hidden_size) * x

    def attention(self, h, w, in_place):
        """h [B * S, D] -> the mixed values [B * S, D], before the output projection."""
        config = self.config
        qkv = F.linear(h, w.qkv).view(-1, config.tokens, 3, config.num_heads, config.head_dim)
        is_rope = config.pos_encodings == 'rope'
        if HAS_SDPA:
            # Fused attention reads any strides and writes [B, S, H, d]: nothing is copied but what rope makes anyway.
            qk, v = qkv.split((2, 1), 2)
            if is_rope:
                qk = rotate(qk, self.rope_cos[:, None, None], self.rope_signed_sin[:, None, None], in_place)
            q, k, v = (each.transpose(1, 2) for each in (*qk.unbind(2), v.squeeze(2)))
            mixed = F.scaled_dot_product_attention(q, k, v)
        else:
            qk, v = qkv.permute(2, 0, 3, 1, 4).contiguous().split((2, 1))
            if is_rope:
                qk = rotate(qk, self.rope_cos, self.rope_signed_sin, in_place)
            mixed = attention_products(*qk.unbind(0), v[0], in_place)
        return mixed.transpose(1, 2).reshape(h.shape)

    def add_product_and_normalise(self, h, x, w, in_place):
        """rmsNorm(h + x w^T) over rows; overwrites h in place. Outside compiled code the sum happens inside the GEMM."""
        if self.functional:
            # A compiler fuses this sum into the norm, which spares the copy of h that addmm makes.
            h = h + F.linear(x, w)
        else:
            h = h.addmm_(x, w.t()) if in_place else torch.addmm(h, x, w.t())
        return self.normalise(h, in_place)

    def normalise(self, h, in_place):
        """rmsNorm over rows, in fp32."""
        eps = self.config.rms_norm_eps
        if HAS_RMS_NORM and h.is_cuda and not self.functional:
            return F.rms_norm(h, h.shape[-1:], eps=eps)
        h32 = h.float()
        if self.functional:
            # Its derivative is what a compiler fuses best; that of vector_norm guards against a norm of zero.
            mean_square = h32.square().mean(-1, keepdim=True)
        else:
            mean_square = torch.linalg.vector_norm(h32, dim=-1, keepdim=True).square().mul(1.0 / h.shape[-1])
        scale = mean_square.add(eps).rsqrt()
        return h32.mul_(scale).to(h.dtype) if in_place else (h32 * scale).to(h.dtype)

    def block(self, h, w):
        """h [B * S, D]; post-norm attention and SwiGLU."""
        in_place = not torch.is_grad_enabled() and not self.functional
        h = self.add_product_and_normalise(h, self.attention(h, w, in_place), w.o, in_place)
        gate, up = F.linear(h, w.gate_up).chunk(2, -1)
        inner = F.silu(gate, inplace=True).mul_(up) if in_place else F.silu(gate) * up
        return self.add_product_and_normalise(h, inner, w.down, in_place)

    def level(self, z, injection, blocks):
        """One application of a recurrent module to z + injection [B, S, D]."""
        h = (z + injection).flatten(0, 1)
        for w in blocks:
            h = self.block(h, w)
        return h.view(z.shape)

    def recur(self, z_H, z_L, x, weights):
        """One segment of H_cycles x L_cycles; only the last L and the last H call may carry gradient."""
        config = self.config
        with torch.no_grad():
            for i in range(config.H_cycles):
                last = i == config.H_cycles - 1
                injection = z_H + x
                for _ in range(config.L_cycles - last):
                    z_L = self.level(z_L, injection, weights.L)
                if not last:
                    z_H = self.level(z_H, z_L, weights.H)
        z_L = self.level(z_L, z_H + x, weights.L)
        z_H = self.level(z_H, z_L, weights.H)
        return z_H, z_L

    def logits(self, z_H, weights):
        """[B, seqLen, V] in forward dtype."""
        return F.linear(z_H, weights.lm_head)[:, self.config.puzzle_emb_len :]

    def halt_logits(self, z_H, weights):
        q = F.linear(z_H[:, 0], weights.q_head, weights.q_bias).float()
        return q[:, 0], q[:, 1]

    def segment(self, z_H, z_L, x, weights):
        """One segment with its heads: logits [B, seqLen, V] in forward dtype, q in fp32, z attached to the graph."""
        z_H, z_L = self.recur(z_H, z_L, x, weights)
        return Output(z_H, z_L, self.logits(z_H, weights), *self.halt_logits(z_H, weights))
