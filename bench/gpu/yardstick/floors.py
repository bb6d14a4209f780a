"""The floors of the peers' cases: what must be computed and moved, counted, over what the device can do.

Three of them, each above the one before:
- FLOPs: the matrix products of the case, less those that the exact step can spare, at the rate of a large product.
- bytes: what must pass the device's memory or its L2 however the work is fused: a level's weights once a call (27 MB at
  the official size, more than the SMs hold), gradients, masters and moments of the optimiser, the carry.
- five kernels a block (qkv; attention; output projection, sum and norm; gate, up and SwiGLU; down, sum and norm), the
  design of fused kernels: every kernel takes the longer of its FLOPs and its bytes, and the launch gap is added for each.
"""

import os
import sys
from collections import namedtuple

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'peers'))

from torch_peer import cases  # noqa: E402  (its folder is known only now)

Ceilings = namedtuple('Ceilings', 'tflops gbps gap_us is_measured')
# An H200: a product of 8192 and a copy of some GB, both through PyTorch; the gap is a guess.
ASSUMED = Ceilings(790.0, 4300.0, 1.0, False)

Floor = namedtuple('Floor', 'flops needed_flops flops_ms bytes bytes_ms kernels design_ms')
Kernel = namedtuple('Kernel', 'flops bytes')

BF16, FP32 = 2, 4
ROW_OF_CASE = ('step/sudoku-96', 'step/sudoku-384', 'step/sudoku-768', 'step/maze-96', 'step/small-256')
CASES = (*ROW_OF_CASE, 'segment/sudoku-384', 'solve/sudoku-1')


def block_parameters(c):
    return 4 * c.hidden_size**2 + 3 * c.hidden_size * c.inner_size


def level_parameters(c, layers):
    return layers * block_parameters(c)


def dense_parameters(c):
    heads = 2 * c.vocab_size * c.hidden_size + 2 * c.hidden_size + 2
    return level_parameters(c, c.H_layers + c.L_layers) + heads


def spared_flops(c):
    """Of the last H block of the second recurrence only row 0 is read, after K and V: the rest need not be computed."""
    d, f = c.hidden_size, c.inner_size
    rows = c.batch_size * (c.tokens - 1)
    return rows * (2 * (2 * d * d + 3 * d * f) + 4 * c.tokens * d)


def forward_kernels(c, is_saved=False):
    """The five kernels of a block; is_saved where the backward will want gate and up as well."""
    rows, d, f = c.batch_size * c.tokens, c.hidden_size, c.inner_size

    def product(out, width, more=0):
        """rows x width by width x out, with `more` elements a row read or written besides."""
        return Kernel(2 * rows * out * width, BF16 * (rows * (width + out + more) + out * width))

    return [
        product(3 * d, d),
        Kernel(4 * rows * c.tokens * d, BF16 * rows * 4 * d),
        product(d, d, d),
        # Gate and up are joined before they are written.
        Kernel(4 * rows * d * f, BF16 * (rows * (d + f + (2 * f if is_saved else 0)) + 2 * d * f)),
        product(d, f, d),
    ]


def backward_kernels(c):
    """Of a block: input gradients with what is fused into them, weight gradients in fp32, attention, two norms."""
    rows, d, f = c.batch_size * c.tokens, c.hidden_size, c.inner_size

    def both(out, width, more=0):
        weight = 2 * rows * out * width
        moved = BF16 * rows * (out + width)
        return [
            Kernel(weight, moved + BF16 * (rows * more + out * width)),
            Kernel(weight, moved + FP32 * out * width),
        ]

    norm = Kernel(0, BF16 * rows * 3 * d)
    attention = Kernel(8 * rows * c.tokens * d, BF16 * rows * 8 * d)
    # The gradient of down reads gate and up, and writes theirs in place of the inner one.
    return [norm, *both(d, f, 3 * f), *both(2 * f, d), norm, *both(d, d), attention, *both(3 * d, d)]


def recurrence(c):
    """Kernels of one segment, forward only."""
    l_calls, h_calls = c.level_calls
    return forward_kernels(c) * (l_calls * c.L_layers + h_calls * c.H_layers)


def step_kernels(c):
    l_calls, h_calls = c.level_calls
    plain = 2 * (l_calls * c.L_layers + h_calls * c.H_layers) - (c.L_layers + c.H_layers)
    optimizer = Kernel(0, optimizer_bytes(c))
    per_layer = [*forward_kernels(c, is_saved=True), *backward_kernels(c)]
    return [*forward_kernels(c) * plain, *per_layer * (c.L_layers + c.H_layers), optimizer]


def optimizer_bytes(c):
    """Gradient read; master and two moments read and written, in fp32; the bf16 copy written."""
    return dense_parameters(c) * (FP32 * 7 + BF16)


def least_bytes(measure, c):
    l_calls, h_calls = c.level_calls
    weights = BF16 * (
        l_calls * level_parameters(c, c.L_layers) + h_calls * level_parameters(c, c.H_layers)
    )
    carry = 4 * BF16 * c.batch_size * c.tokens * c.hidden_size
    if measure == 'solve':
        return cases.SOLVE_SEGMENTS * weights
    if measure == 'segment':
        return weights + carry
    backward = (BF16 + FP32) * level_parameters(c, c.H_layers + c.L_layers)
    return 2 * weights + backward + optimizer_bytes(c) + carry


def kernels_of(measure, c):
    if measure == 'step':
        return step_kernels(c)
    return recurrence(c) * (cases.SOLVE_SEGMENTS if measure == 'solve' else 1)


def flops_of(measure, c):
    """(as PyTorch computes it, as it must be)."""
    if measure == 'step':
        return c.step_flops(), c.step_flops() - spared_flops(c)
    flops = c.forward_flops() * (cases.SOLVE_SEGMENTS if measure == 'solve' else 1)
    return flops, flops


def floor(name, ceilings=ASSUMED):
    """Of a case such as step/sudoku-384."""
    measure, case = name.split('/')
    c = cases.CASES[case]
    flops, needed = flops_of(measure, c)
    moved = least_bytes(measure, c)
    per_ms, bytes_per_ms = ceilings.tflops * 1e9, ceilings.gbps * 1e6
    kernels = kernels_of(measure, c)
    design_ms = sum(max(k.flops / per_ms, k.bytes / bytes_per_ms) for k in kernels)
    if measure == 'step':
        design_ms -= spared_flops(c) / per_ms
    design_ms += len(kernels) * ceilings.gap_us / 1e3
    return Floor(flops, needed, needed / per_ms, moved, moved / bytes_per_ms, len(kernels), design_ms)


def measured_ceilings(rows):
    """From the rows of a run, as far as they are there; else what is assumed."""

    def median(name):
        row = rows.get(name)
        return row['median'] if row and row['status'] == 'measured' else None

    tflops = median('gemm/8192x8192x8192')
    gbps = max((median(f'bandwidth/{name}') or 0 for name in ('copy', 'memcpy')), default=0)
    gap = median('launch/graph-programmatic') or median('launch/graph')
    if not (tflops and gbps and gap):
        return ASSUMED
    return Ceilings(tflops, gbps, gap, True)


LINEARS = ('qkv', 'o', 'gate_up', 'down')


def library_ms(name, rows):
    """What the library's products and PyTorch's fused attention take for a case, all else being free; None if unknown."""
    measure, case = name.split('/')
    c = cases.CASES[case]
    if c.hidden_size != cases.OFFICIAL.hidden_size:
        return None
    tokens = c.batch_size * c.tokens
    l_calls, h_calls = c.level_calls
    layers = l_calls * c.L_layers + h_calls * c.H_layers
    forward = layers * {'step': 2, 'segment': 1, 'solve': cases.SOLVE_SEGMENTS}[measure]
    backward = c.H_layers + c.L_layers if measure == 'step' else 0
    try:
        ms = 0.0
        for linear in LINEARS:
            row = f'gemm/{linear}-{tokens}'
            ms += forward * rows[f'{row}/forward']['details']['us'] / 1e3
            if backward:
                ms += backward * sum(rows[f'{row}/{part}']['details']['us'] for part in ('input', 'weight')) / 1e3
        of = 's901-b96' if c.tokens > 128 else 's82-b384'
        share = c.batch_size / cases.ATTENTION[of][0]
        once, both = (rows[f'attention/{of}-{direction}/flash']['median'] for direction in ('forward', 'both'))
        return ms + share * (forward * once + backward * (both - once))
    except KeyError:
        return None
