"""One row of the yardstick: builds its case, warms up, samples, and says what it took. See cases.py for the names."""

import gc
import math
import os
import time

import torch
import torch.nn.functional as F

from . import act, cases, compiled, static
from .model import HAS_SDPA, Hrm
from .workload import random_batch

REPEATS = 15
SOLVE_REPEATS = 45
LEAST_SAMPLE_MS = 100.0
# Rotated buffers take this many times the L2.
ROTATION = 4


class NoDevice(Exception):
    """There is no GPU for PyTorch here."""


class Unsupported(Exception):
    """This PyTorch or this device lacks what the row measures."""


def synchronize(device):
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


def sample(run, device, repeats, least_ms):
    """(milliseconds a run, one figure a sample; runs in a sample; seconds that warming up took)."""

    def timed(runs):
        synchronize(device)
        start = time.perf_counter()
        for _ in range(runs):
            run()
        synchronize(device)
        return (time.perf_counter() - start) * 1e3 / runs

    start = time.perf_counter()
    timed(2)
    warm_up = time.perf_counter() - start
    runs = max(1, math.ceil(least_ms / timed(1))) if least_ms > 0 else 1
    return [timed(runs) for _ in range(repeats)], runs, warm_up


def answer(row, unit, samples, **details):
    """What a row answers; whoever asked makes median and spread of the samples."""
    return {
        'row': row,
        'status': 'measured',
        'unit': unit,
        'better': 'lower',
        'samples': samples,
        'details': {key: value for key, value in details.items() if value is not None},
    }


def forget(device):
    """Rows share a process: what one leaves behind must not be the next one's memory, or its compilation."""
    gc.collect()
    compiled.forget()
    if device.type == 'cuda':
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def build(case, mode, device, sizes, measure):
    """(function to time, its configuration); compiled and captured as the mode says."""
    config = sizes[case]
    torch.manual_seed(0)
    model = Hrm(config).to(device)
    batch = random_batch(config, device)
    carry = act.run_segment(model, act.empty_carry(model, batch), batch, training=False).carry
    if mode.startswith('compile'):
        compiled.compile_parts(model)
    elif mode.startswith('whole'):
        compiled.compile_whole(model)
    if measure == 'step':
        run = static.TrainingStep(model, batch, carry)
        if model.functional:
            compiled.compile_optimizer(run.optimizer)
    elif measure == 'segment':
        run = static.EvaluationSegment(model, batch, carry)
    else:
        run = static.Solve(model, batch.inputs, batch.puzzle_identifiers, cases.SOLVE_SEGMENTS)
    return (static.capture(run) if mode.endswith('graph') else run), config


def flops(measure, config):
    if measure == 'step':
        return config.step_flops()
    return config.forward_flops() * (cases.SOLVE_SEGMENTS if measure == 'solve' else 1)


def peak_memory(device):
    if device.type == 'cuda':
        allocated, reserved = torch.cuda.max_memory_allocated(device), torch.cuda.max_memory_reserved(device)
        return {'peakAllocatedBytes': allocated, 'peakReservedBytes': reserved}
    from .serve import memory_of_process

    return {'peakResidentBytes': memory_of_process()[1]}


def measure_model(row, device, sizes, repeats, least_ms):
    measure, case, mode = row.split('/')
    # A solve is a latency: every one is waited for.
    least_ms = 0 if measure == 'solve' else least_ms
    start = time.perf_counter()
    run, config = build(case, mode, device, sizes, measure)
    seconds = time.perf_counter() - start
    samples, runs, warm_up = sample(run, device, repeats, least_ms)
    is_compiled = mode.startswith(('compile', 'whole'))
    return answer(
        row,
        'ms',
        samples,
        runsPerSample=runs,
        flops=flops(measure, config),
        warmUpSeconds=round(seconds + warm_up, 2),
        graphBreaks=compiled.graph_breaks() if is_compiled else None,
        **peak_memory(device),
    )


def attention_inputs(batch, seq, heads, head_dim, device):
    """q, k, v [B, H, S, d] as the model passes them: transposed views of [B, S, H, d]; as many sets as pass the L2."""
    properties = torch.cuda.get_device_properties(device)
    l2_bytes = getattr(properties, 'L2_cache_size', 64 << 20)
    set_bytes = 3 * 2 * batch * seq * heads * head_dim
    sets = max(2, -(-ROTATION * l2_bytes // set_bytes))
    shape = (batch, seq, heads, head_dim)
    return [
        [torch.randn(shape, device=device, dtype=torch.bfloat16).transpose(1, 2).requires_grad_() for _ in range(3)]
        for _ in range(sets)
    ]


def measure_attention(row, device, repeats, least_ms):
    """Of one layer: `forward`, or `both` forward and backward; the backward alone is their difference."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    _, name, backend = row.split('/')
    case, direction = name.rsplit('-', 1)
    batch, seq = cases.ATTENTION[case]
    heads, head_dim = cases.OFFICIAL.num_heads, cases.OFFICIAL.head_dim
    sets = attention_inputs(batch, seq, heads, head_dim, device)
    grad = torch.randn_like(sets[0][0].detach())
    backends = {'flash': SDPBackend.FLASH_ATTENTION, 'cudnn': SDPBackend.CUDNN_ATTENTION}

    def run():
        for q, k, v in sets:
            if direction == 'both':
                torch.autograd.grad(F.scaled_dot_product_attention(q, k, v), (q, k, v), grad)
            else:
                with torch.no_grad():
                    F.scaled_dot_product_attention(q, k, v)

    with sdpa_kernel(backends[backend]):
        replay = static.capture(run)
    samples, runs, _ = sample(replay, device, repeats, least_ms)
    # Two products forward; five backward, the scores being computed again.
    products = 2 if direction == 'forward' else 7
    return answer(
        row,
        'ms',
        [each / len(sets) for each in samples],
        runsPerSample=runs * len(sets),
        flops=products * 2 * batch * heads * seq * seq * head_dim,
        rotatedSets=len(sets),
    )


def measure_parity(row, device, root):
    """How near the bounds of the reference the worst tensor comes; over 1 is a failure."""
    from . import parity

    _, name, mode = row.split('/')
    worst, table = parity.worst_share(os.path.join(root, name), device, mode)
    if worst > 1:
        raise ValueError(f'parity: {table.failed()}')
    return answer(row, 'of the bound', [worst], compared=len(table.rows))


def need(mode, device):
    if mode.startswith(('compile', 'whole')) and not hasattr(torch, 'compile'):
        raise Unsupported(f'PyTorch {torch.__version__} has no compile')
    if device.type != 'cuda' and (mode.endswith('graph') or mode in ('flash', 'cudnn')):
        raise Unsupported(f'{mode} needs a GPU')


def run(row, device='cuda', rehearsal=False, parity_root=None):
    """The answer to a row, as a dictionary. @raises NoDevice, Unsupported, or whatever goes wrong"""
    if device == 'cuda' and not torch.cuda.is_available():
        raise NoDevice
    known = {entry['row'] for entry in cases.rows([row.split('/')[1]] if row.startswith('parity/') else ())}
    if row not in known:
        raise ValueError(f'unknown row {row}')
    device = torch.device(device)
    need(row.rsplit('/', 1)[1], device)
    forget(device)
    repeats, least_ms = SOLVE_REPEATS if row.startswith('solve/') else REPEATS, LEAST_SAMPLE_MS
    if rehearsal:
        repeats, least_ms = 3, 1.0
    if row.startswith('attention/'):
        return measure_attention(row, device, repeats, least_ms)
    if row.startswith('parity/'):
        return measure_parity(row, device, parity_root)
    if device.type == 'cuda' and not HAS_SDPA:
        raise Unsupported('a fair peer on a GPU needs scaled_dot_product_attention, PyTorch 2')
    return measure_model(row, device, cases.REHEARSAL if rehearsal else cases.CASES, repeats, least_ms)
