"""Compares this model with reference outputs, teacher-forced: each segment starts from the reference's own carry.

Bounds: relative L2 at most max(4 x the stored fp32-fp64 distance, 5e-6); tensors under 16 elements by their largest
error, 1e-5 of max|x|; flags, counts and steps exactly; what has no stored distance, 1e-6 of max|x|. Losses are tensors
of one element: their logits may be off by 1e-5, and the stored fp32 losses lie up to 1e-6 from their fp64 twins. The
chained column is the same error when the carry is this model's own from the first segment on; it is shown, not judged.
"""

import dataclasses
import json
import math
import os
import struct

import numpy as np
import torch

from . import act, compiled, config as configuration, optim, static
from .model import Hrm

DTYPES = {'F64': '<f8', 'F32': '<f4', 'I64': '<i8', 'I32': '<i4', 'U8': '|u1', 'BOOL': '|b1'}
EXACT_METRICS = ('count', 'steps', 'exact_accuracy', 'q_halt_accuracy')
SMALL_BOUND = 1e-5
# Of 1 - cosine of a gradient in bfloat16 with the fp32 one.
COSINE_BOUND = 1e-3


def read_safetensors(path):
    """{name: array}; the data need not be aligned, so every tensor is copied."""
    with open(path, 'rb') as file:
        data = file.read()
    (length,) = struct.unpack_from('<Q', data)
    if length > len(data) - 8:
        raise ValueError(f'{path}: header of {length} bytes in a file of {len(data)}')
    header = json.loads(data[8 : 8 + length])
    arrays = {}
    for name, entry in header.items():
        if name == '__metadata__':
            continue
        if entry['dtype'] not in DTYPES:
            raise ValueError(f"{path}: {name}: dtype {entry['dtype']} is not supported")
        begin, end = entry['data_offsets']
        dtype = np.dtype(DTYPES[entry['dtype']])
        count = math.prod(entry['shape'])
        if begin < 0 or end > len(data) - 8 - length or end - begin != count * dtype.itemsize:
            raise ValueError(f'{path}: {name}: bytes {begin}..{end} do not hold {count} x {dtype}')
        array = np.frombuffer(data, dtype, count, 8 + length + begin)
        arrays[name] = array.reshape(entry['shape']).copy()
    return arrays


class Table:
    """Rows (name, kind, bound, error, chained error, ok)."""

    def __init__(self, tolerance, is_low_precision=False):
        self.tolerance = tolerance
        self.is_low_precision = is_low_precision
        self.rows = []

    def compare(self, name, got, want, chained=None, tolerance_of=None, bound=1e-6):
        got, want = to_array(got), to_array(want)
        if got.shape != want.shape:
            self.rows.append((name, 'shape', 0.0, math.inf, None, False))
            return
        if self.is_low_precision:
            self.compare_direction(name, got, want)
            return
        tolerance = self.tolerance.get(tolerance_of or name)
        if want.dtype.kind != 'f':
            kind, bound, error = 'exact', 0.0, differing
        elif tolerance is None:
            kind, error = 'max', max_error
        elif want.size < 16:
            kind, bound, error = 'max', SMALL_BOUND, max_error
        else:
            kind, bound, error = 'l2', max(4 * tolerance['rel_l2'], 5e-6), l2_error
        value = error(got, want)
        chained_value = None if chained is None else error(to_array(chained), want)
        self.rows.append((name, kind, bound, value, chained_value, value <= bound))

    def compare_direction(self, name, got, want):
        """bfloat16 against fp32: gradients by their angle, the rest shown, not judged."""
        if want.dtype.kind == 'f' and want.size >= 16:
            bound = COSINE_BOUND if name.startswith('grad.') else math.inf
            error = 1 - cosine(got, want)
            self.rows.append((name, '1-cos', bound, error, None, error <= bound))

    def print(self):
        print(f"{'tensor':<66} {'kind':<5} {'bound':>9} {'error':>9} {'chained':>9}  ok")
        for name, kind, bound, error, chained, ok in self.rows:
            chained = '' if chained is None else f'{chained:9.2e}'
            print(f"{name:<66} {kind:<5} {bound:9.2e} {error:9.2e} {chained:>9}  {'ok' if ok else 'FAIL'}")
        failed = len(self.failed())
        print(f'{len(self.rows)} compared, {failed} failed')
        return failed == 0 and len(self.rows) > 0

    def failed(self):
        return [row[0] for row in self.rows if not row[-1]]


def to_array(value):
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        return value.float().numpy() if value.dtype == torch.bfloat16 else value.numpy()
    return np.asarray(value)


def differing(got, want):
    return float(np.count_nonzero(got != want))


def max_error(got, want):
    """Largest error in units of max|want|; NaN counts as infinite."""
    scale = float(np.abs(want).max(initial=0)) or 1.0
    error = float(np.abs(got.astype(np.float64) - want).max(initial=0)) / scale
    return math.inf if math.isnan(error) else error


def l2_error(got, want):
    want = want.astype(np.float64)
    error = float(np.linalg.norm(got - want)) / (float(np.linalg.norm(want)) or 1.0)
    return math.inf if math.isnan(error) else error


def cosine(got, want):
    got, want = got.astype(np.float64).ravel(), want.astype(np.float64).ravel()
    return float(got @ want / (np.linalg.norm(got) * np.linalg.norm(want)))


class Reference:
    def __init__(self, directory, device, dtype='float32'):
        with open(os.path.join(directory, 'ref.json'), encoding='utf-8') as file:
            self.json = json.load(file)
        self.arrays = read_safetensors(os.path.join(directory, 'ref.safetensors'))
        self.device = device
        self.config = dataclasses.replace(configuration.from_reference(self.json), forward_dtype=dtype)

    def tensor(self, name):
        tensor = torch.from_numpy(self.arrays[name]).to(self.device)
        return tensor.long() if tensor.dtype == torch.int32 and 'steps' not in name else tensor

    def batch(self, prefix):
        return act.Batch(*(self.tensor(f'{prefix}.{field}') for field in act.Batch._fields))

    def model(self):
        model = Hrm(self.config)
        prefix = 'weight.model.inner.'
        names = [name for name in self.arrays if name.startswith(prefix)]
        state = {name[len(prefix) :]: torch.from_numpy(self.arrays[name]) for name in names}
        model.load_state_dict(state, strict=True)
        return model.to(self.device)

    def carry(self, model, step):
        """The carry before a segment; before the first, states that must never be read."""
        carry = act.empty_carry(model, self.batch(f'step{step}.batch'))
        halted, steps = self.tensor(f'step{step}.in.halted'), self.tensor(f'step{step}.in.steps')
        if step == 1:
            return carry._replace(halted=halted, steps=steps)
        before = f'step{step - 1}'
        z_H, z_L = (self.tensor(f'{before}.out.{z}').to(model.dtype) for z in ('z_H', 'z_L'))
        return act.Carry(z_H, z_L, steps, halted, self.batch(f'{before}.cur'))


class Plain:
    """Segments one by one, as written."""

    def __init__(self, model):
        self.model = model

    def training(self, carry, batch):
        """(Step, {parameter name: gradient}, gradient of the puzzle rows or None)."""
        step = act.run_segment(self.model, carry, batch, training=True)
        self.model.zero_grad(set_to_none=True)
        (step.loss / self.model.config.batch_size).backward()
        grads = {name: parameter.grad for name, parameter in self.model.named_parameters()}
        return step, grads, None if step.puzzle_rows is None else step.puzzle_rows.grad

    def evaluation(self, carry, batch):
        return act.run_segment(self.model, carry, batch, training=False)


class Buffered(Plain):
    """The step over fixed buffers that the yardstick times, captured into a CUDA graph or not."""

    def __init__(self, model, is_captured):
        super().__init__(model)
        self.is_captured = is_captured
        self.step = self.results = self.run = None

    def training(self, carry, batch):
        if self.step is None:
            self.step = static.TrainingStep(self.model, batch, carry)
            self.run = static.capture(self.compute) if self.is_captured else self.compute
        static.copy_into(static.tensors_of(self.step.carry), static.tensors_of(carry))
        static.copy_into(self.step.batch, batch)
        self.run()
        step, grads, puzzle_grad = self.results
        # The next run overwrites what a graph gave.
        output = step.output._replace(**{name: tensor.detach().clone() for name, tensor in step.output._asdict().items()})
        target = None if step.target_q_continue is None else step.target_q_continue.clone()
        metrics = {name: tensor.clone() for name, tensor in step.metrics.items()}
        step = step._replace(carry=static.clone(step.carry), output=output, target_q_continue=target, metrics=metrics)
        names = [name for name, _ in self.model.named_parameters()]
        return step, {name: g.clone() for name, g in zip(names, grads)}, None if puzzle_grad is None else puzzle_grad.clone()

    def compute(self):
        self.results = self.step.gradients()


# How the segments run; those of the yardstick that differ in more than how often they are measured.
MODES = ('plain', 'functional', 'eager', 'compile', 'whole', 'graph', 'compile-graph', 'whole-graph')


def runner(model, mode):
    if mode not in MODES:
        raise ValueError(f"parity: mode must be one of {', '.join(MODES)}, got {mode!r}")
    if mode == 'plain':
        return Plain(model)
    if mode == 'functional':
        model.functional = True
    elif mode.startswith('compile'):
        compiled.compile_parts(model)
    elif mode.startswith('whole'):
        compiled.compile_whole(model)
    return Buffered(model, mode.endswith('graph'))


def outputs(step):
    return {
        'z_H': step.carry.z_H,
        'z_L': step.carry.z_L,
        'logits': step.output.logits,
        'q_halt_logits': step.output.q_halt,
        'q_continue_logits': step.output.q_continue,
        'target_q_continue': step.target_q_continue,
        'halted': step.carry.halted,
        'steps': step.carry.steps,
    }


def compare_metrics(table, prefix, step, want, chained=None):
    for key, value in want.items():
        if key not in step.metrics:
            continue
        dtype = np.int64 if key in EXACT_METRICS else np.float64
        extra = None if chained is None else np.asarray(chained.metrics[key].item(), dtype)
        got, value = np.asarray(step.metrics[key].item(), dtype), np.asarray(value, dtype)
        table.compare(f'{prefix}.{key}', got, value, extra, bound=SMALL_BOUND if 'loss' in key else 1e-6)


def compare_training(reference, model, segments, table):
    """Every training segment; returns what the first one gave, gradients included."""
    chained_carry, first = None, None
    for index, metrics in enumerate(reference.json['train_steps']):
        number = index + 1
        name = f'step{number}'
        batch = reference.batch(f'{name}.batch')
        results = segments.training(reference.carry(model, number), batch)
        forced = results[0]
        chained_carry = chained_carry or reference.carry(model, 1)
        first = first or results
        chained, _, _ = segments.training(chained_carry, batch)
        chained_carry = chained.carry
        for field in act.Batch._fields:
            table.compare(
                f'{name}.cur.{field}',
                getattr(forced.carry.batch, field).int(),
                reference.arrays[f'{name}.cur.{field}'],
                getattr(chained.carry.batch, field).int(),
            )
        chained_outputs = outputs(chained)
        for field, got in outputs(forced).items():
            key = f'{name}.out.{field}'
            if key in reference.arrays:
                table.compare(key, got, reference.arrays[key], chained_outputs[field])
        compare_metrics(table, f'{name}.metrics', forced, metrics, chained)
    return first


def compare_gradients(reference, model, first, table):
    step, grads, puzzle_grad = first
    for name, grad in grads.items():
        key = f'grad.model.inner.{name}'
        table.compare(key, grad, reference.arrays[key])
    if puzzle_grad is None:
        return
    key = 'grad.model.inner.puzzle_emb.local_weights'
    table.compare(key, puzzle_grad, reference.arrays[key])
    weights = model.puzzle_emb.weights.clone()
    signsgd = reference.json['signsgd']
    lr = torch.tensor(signsgd['lr'], dtype=torch.float64, device=weights.device)
    ids = step.carry.batch.puzzle_identifiers
    optim.sign_sgd(weights, ids, puzzle_grad, lr, signsgd['weight_decay'])
    table.compare('after_signsgd.puzzle_emb.weights', weights, reference.arrays['after_signsgd.puzzle_emb.weights'])


def compare_evaluation(reference, model, segments, table):
    batch = reference.batch('step1.batch')
    carry, step = act.empty_carry(model, batch), None
    for _ in range(reference.config.halt_max_steps):
        step = segments.evaluation(carry, batch)
        carry = step.carry
    name = f'step{reference.config.halt_max_steps}.out'
    for field, got in outputs(step).items():
        key = f'eval.{name}.{field}'
        if key in reference.arrays:
            table.compare(key, got, reference.arrays[key], tolerance_of=f'{name}.{field}')
    compare_metrics(table, 'eval.metrics', step, reference.json['eval_last_step_metrics'])


def compare_all(directory, device, mode, dtype='float32'):
    reference = Reference(directory, device, dtype)
    model = reference.model()
    table = Table(reference.json['tolerance'], dtype != 'float32')
    if reference.config.pos_encodings == 'rope':
        first_half = torch.arange(reference.config.head_dim, device=device) < reference.config.head_dim // 2
        sin = torch.where(first_half, -model.rope_signed_sin, model.rope_signed_sin)
        table.compare('const.rope_cos', model.rope_cos, reference.arrays['const.rope_cos'])
        table.compare('const.rope_sin', sin, reference.arrays['const.rope_sin'])
    segments = runner(model, mode)
    first = compare_training(reference, model, segments, table)
    compare_gradients(reference, model, first, table)
    compare_evaluation(reference, model, segments, table)
    return table


def run(directory, device='cpu', mode='plain', dtype='float32'):
    """True if every tensor and figure is within its bound."""
    return compare_all(directory, device, mode, dtype).print()


def sets_in(directory):
    """The folder itself if it is a set, else those inside that are. @raises ValueError where there is none"""
    if os.path.isfile(os.path.join(directory, 'ref.json')):
        return [directory]
    inside = [os.path.join(directory, name) for name in sorted(os.listdir(directory))]
    found = [path for path in inside if os.path.isfile(os.path.join(path, 'ref.json'))]
    if not found:
        raise ValueError(f'{directory}: expected a ref.json, or folders with one')
    return found


def run_all(directories, device='cpu', mode='plain', dtype='float32'):
    """The same for several sets or folders of sets, each printed under its name."""
    sets = [path for directory in directories for path in sets_in(directory)]
    passed = []
    for path in sets:
        if len(sets) > 1:
            print(f'== {os.path.basename(path)}, {mode}, {dtype} on {device}')
        passed.append(run(path, device, mode, dtype))
    return all(passed)


def worst_share(directory, device, mode):
    """(largest error as a share of its bound, infinite where a flag differs; the table)."""
    table = compare_all(directory, device, mode)
    shares = [error / bound if bound > 0 else error and math.inf for _, _, bound, error, _, _ in table.rows]
    return float(max(shares)), table
