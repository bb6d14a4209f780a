"""Configuration: the reference's field names, in the reference's units."""

import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class Config:
    batch_size: int = 8
    seq_len: int = 81
    vocab_size: int = 11
    puzzle_emb_ndim: int = 512
    num_puzzle_identifiers: int = 1
    hidden_size: int = 512
    num_heads: int = 8
    expansion: float = 4.0
    H_layers: int = 4
    L_layers: int = 4
    H_cycles: int = 2
    L_cycles: int = 2
    pos_encodings: str = 'rope'
    rope_theta: float = 10000.0
    rms_norm_eps: float = 1e-5
    halt_max_steps: int = 16
    halt_exploration_prob: float = 0.1
    forward_dtype: str = 'float32'
    loss_type: str = 'stablemax_cross_entropy'

    def __post_init__(self):
        if self.pos_encodings not in ('rope', 'learned'):
            raise ValueError(f"config: pos_encodings must be 'rope' or 'learned', got {self.pos_encodings!r}")
        if self.loss_type not in ('stablemax_cross_entropy', 'softmax_cross_entropy'):
            raise ValueError(f'config: unknown loss_type {self.loss_type!r}')
        if self.hidden_size % self.num_heads != 0:
            raise ValueError(f'config: hidden_size {self.hidden_size} must be a multiple of num_heads {self.num_heads}')

    @property
    def head_dim(self):
        return self.hidden_size // self.num_heads

    @property
    def puzzle_emb_len(self):
        """Tokens that the puzzle embedding takes, in front of the sequence."""
        return -(-self.puzzle_emb_ndim // self.hidden_size)

    @property
    def tokens(self):
        return self.seq_len + self.puzzle_emb_len

    @property
    def inner_size(self):
        """SwiGLU inner size: two thirds of expansion * hidden, rounded up to a multiple of 256."""
        return -(-round(self.expansion * self.hidden_size * 2 / 3) // 256) * 256

    @property
    def level_calls(self):
        """Level calls of one recurrence as (L, H)."""
        return self.H_cycles * self.L_cycles, self.H_cycles

    def forward_flops(self):
        """Floating-point operations of one recurrence: the linear maps and the two attention products."""
        d, f, s = self.hidden_size, self.inner_size, self.tokens
        block = self.batch_size * s * (2 * (4 * d * d + 3 * d * f) + 4 * s * d)
        l_calls, h_calls = self.level_calls
        return block * (l_calls * self.L_layers + h_calls * self.H_layers)

    def step_flops(self):
        """A training step: two recurrences, and backward (twice the forward) through the last L and the last H."""
        l_calls, h_calls = self.level_calls
        per_block = self.forward_flops() // (l_calls * self.L_layers + h_calls * self.H_layers)
        return 2 * self.forward_flops() + 2 * per_block * (self.L_layers + self.H_layers)


def from_reference(reference):
    """The configuration of a ref.json, whose fields have the same names plus some that do not concern the model."""
    known = {field.name for field in dataclasses.fields(Config)}
    values = {key: value for key, value in reference['config'].items() if key in known}
    return Config(loss_type=reference['loss_type'], **values)


def learning_rate(base, step, warmup, total, min_ratio):
    """Linear warm-up, then a cosine down to min_ratio * base; step counts from 1."""
    if step < warmup:
        return base * step / warmup
    progress = (step - warmup) / max(1, total - warmup)
    return base * (min_ratio + (1 - min_ratio) * 0.5 * (1 + math.cos(math.pi * progress)))
