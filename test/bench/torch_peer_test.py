"""Tests of the PyTorch peer that need its inside; `python3 test/bench/torch_peer_test.py`, run by hrm_torch.test.ts."""

import dataclasses
import math
import os
import sys
import unittest
from unittest import mock

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'bench', 'peers'))

from torch_peer import act, cases, compiled, config, measure, model as network, optim, parity, static, workload

SMALL = config.Config(
    batch_size=6,
    seq_len=9,
    vocab_size=7,
    puzzle_emb_ndim=32,
    num_puzzle_identifiers=4,
    hidden_size=32,
    num_heads=2,
    H_layers=1,
    L_layers=2,
    halt_max_steps=3,
    halt_exploration_prob=0.5,
)


def same(case, got, want):
    case.assertEqual(len(got), len(want))
    for a, b in zip(got, want):
        case.assertTrue(torch.equal(a, b))


class Buffers(unittest.TestCase):
    def both(self, settings, steps=6):
        """The plain step and the one over buffers, from the same weights, carry and random numbers."""
        plain = workload.Workload(settings, seed=3)
        torch.manual_seed(3)
        buffered_model = network.Hrm(settings)
        buffered_model.load_state_dict(plain.model.state_dict())
        buffered = static.TrainingStep(buffered_model, plain.batch, plain.carry)
        addresses = [tensor.data_ptr() for tensor in static.tensors_of(buffered.carry)]
        halted = 0
        for step in range(steps):
            torch.manual_seed(step)
            plain.step(lr=1e-2)
            torch.manual_seed(step)
            buffered.lr.fill_(1e-2)
            buffered()
            halted += int(plain.carry.halted.sum())
            same(self, static.tensors_of(buffered.carry), static.tensors_of(plain.carry))
            same(self, list(buffered_model.state_dict().values()), list(plain.model.state_dict().values()))
        # Otherwise nothing of what differs from row to row was tried.
        self.assertGreater(halted, 0)
        self.assertLess(halted, steps * settings.batch_size)
        self.assertEqual(addresses, [tensor.data_ptr() for tensor in static.tensors_of(buffered.carry)])
        return buffered

    def test_the_buffered_step_is_the_plain_step_bit_for_bit(self):
        for loss in ('stablemax_cross_entropy', 'softmax_cross_entropy'):
            self.both(dataclasses.replace(SMALL, loss_type=loss))

    def test_so_it_is_with_bfloat16_copies_of_fp32_masters(self):
        step = self.both(dataclasses.replace(SMALL, forward_dtype='bfloat16'))
        for copy, master in zip(step.leaves, step.model.parameters()):
            self.assertEqual((copy.dtype, master.dtype), (torch.bfloat16, torch.float32))
            self.assertTrue(torch.equal(copy, master.to(torch.bfloat16)))

    def test_metrics_are_in_their_order(self):
        step = self.both(SMALL, steps=3)
        values = dict(zip(static.METRICS, step.metrics.tolist()))
        total = values['lm_loss'] + 0.5 * (values['q_halt_loss'] + values['q_continue_loss'])
        self.assertAlmostEqual(values['loss_total_sum'], total, places=6)

    def test_nothing_is_read_on_the_host(self):
        from torch.utils._python_dispatch import TorchDispatchMode

        reads = ('_local_scalar_dense', 'nonzero', '_unique2', 'unique_dim', 'masked_select', 'equal')

        class Watch(TorchDispatchMode):
            def __torch_dispatch__(self, function, types, args=(), kwargs=None):
                name = function.__name__.split('.')[0]
                if name in reads:
                    raise AssertionError(f'{name} waits for the device')
                return function(*args, **(kwargs or {}))

        step = static.TrainingStep(*self.parts(SMALL))
        solve = static.Solve(step.model, step.batch.inputs, step.batch.puzzle_identifiers, 2)
        segment = static.EvaluationSegment(step.model, step.batch, step.carry)
        with Watch():
            for run in (step, solve, segment):
                run()
            with self.assertRaisesRegex(AssertionError, 'waits'):
                step.metrics[0].item()

    def parts(self, settings):
        made = workload.Workload(settings, seed=1)
        return made.model, made.batch, made.carry

    def test_evaluation_and_solve_do_what_segments_do(self):
        model, batch, _ = self.parts(SMALL)
        carry = act.empty_carry(model, batch)
        q_halt = []
        for _ in range(3):
            step = act.run_segment(model, carry, batch, training=False)
            carry = step.carry._replace(halted=torch.zeros_like(step.carry.halted))
            q_halt.append(step.output.q_halt)
        solve = static.Solve(model, batch.inputs, batch.puzzle_identifiers, 3)
        solve()
        self.assertTrue(torch.equal(solve.answer, step.output.logits.argmax(-1)))
        self.assertTrue(torch.equal(solve.q_halt, torch.stack(q_halt)))
        segment = static.EvaluationSegment(model, batch, carry)
        segment()
        wanted = act.run_segment(model, carry, batch, training=False).output.logits
        self.assertTrue(torch.equal(segment.logits, wanted))


class Optimisers(unittest.TestCase):
    def test_adam_atan2_is_its_formula(self):
        generator = np.random.default_rng(0)
        p = generator.standard_normal((5, 7))
        tensor = torch.tensor(p, dtype=torch.float32)
        optimizer = optim.AdamATan2([tensor], weight_decay=0.1)
        m, v, lr = np.zeros_like(p), np.zeros_like(p), 3e-3
        for t in range(1, 6):
            grad = generator.standard_normal(p.shape).astype(np.float32)
            optimizer.step([torch.from_numpy(grad)], torch.tensor(lr, dtype=torch.float64))
            m, v = 0.9 * m + 0.1 * grad, 0.95 * v + 0.05 * grad.astype(np.float64) ** 2
            update = np.arctan2(m, np.sqrt(v) / math.sqrt(1 - 0.95**t))
            p = p * (1 - lr * 0.1) - lr / (1 - 0.9**t) * update
        self.assertLess(np.abs(tensor.numpy() - p).max(), 5e-7)

    def test_sign_sgd_sums_the_gradients_of_equal_ids(self):
        torch.manual_seed(0)
        weights, ids, grad = torch.randn(5, 8), torch.tensor([3, 1, 3, 0, 1, 3]), torch.randn(6, 8)
        # An id whose gradients cancel decays, once.
        grad[4] = -grad[1]
        wanted = weights.clone()
        for row in (0, 1, 3):
            wanted[row] = wanted[row] * (1 - 0.01 * 0.5) - 0.01 * grad[ids == row].sum(0).sign()
        optim.sign_sgd(weights, ids, grad, torch.tensor(0.01, dtype=torch.float64), 0.5)
        self.assertLess((weights - wanted).abs().max().item(), 1e-7)

    def test_token_rows_have_the_gradient_of_an_embedding(self):
        tokens = torch.randint(0, 7, (4, 5))
        grads = []
        for apply in (network.TokenRows.apply, F.embedding):
            torch.manual_seed(2)
            table = torch.randn(7, 3, dtype=torch.float64, requires_grad=True)
            (apply(tokens, table) * torch.randn(4, 5, 3, dtype=torch.float64)).sum().backward()
            grads.append(table.grad)
        self.assertLess((grads[0] - grads[1]).abs().max().item(), 1e-14)


def fused_attention(q, k, v):
    """What 2.x has, for a version without."""
    weights = torch.softmax(q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5, -1)
    return weights @ v


class Paths(unittest.TestCase):
    """Code for PyTorch 2 and a GPU, as far as it runs without: against the reference outputs where they are."""

    def setUp(self):
        shared = os.environ.get('HRM_SHARED')
        if shared is None:
            self.skipTest('HRM_SHARED is not set')
        root = os.path.join(shared, 'parity')
        self.sets = [os.path.join(root, name) for name in sorted(os.listdir(root)) if name.startswith('s')]

    def judge(self, mode):
        for folder in self.sets:
            share, table = parity.worst_share(folder, 'cpu', mode)
            self.assertLessEqual(share, 1, f'{mode} {folder}: {table.failed()}')

    def test_fused_attention_in_its_layout(self):
        with mock.patch.object(F, 'scaled_dot_product_attention', fused_attention, create=True):
            with mock.patch.object(network, 'HAS_SDPA', True):
                self.judge('plain')
                self.judge('functional')

    def test_what_is_compiled_and_captured_is_wired_as_what_is_not(self):
        compiled = []

        def compile(function, dynamic):
            compiled.append(function.__name__)
            return function

        with mock.patch.object(torch, 'compile', compile, create=True):
            with mock.patch.object(static, 'capture', lambda function: function):
                for mode in ('compile', 'compile-graph', 'whole-graph', 'graph'):
                    self.judge(mode)
        self.assertEqual(set(compiled), {'embed', 'level', 'losses', 'segment_of_rows'})

    def test_a_wrong_gradient_is_noticed(self):
        right = network.Hrm.normalise
        with mock.patch.object(network.Hrm, 'normalise', lambda *args: right(*args) * 1.0001):
            share, table = parity.worst_share(self.sets[0], 'cpu', 'eager')
        self.assertGreater(share, 1)
        self.assertGreater(len(table.failed()), 10)


class Rows(unittest.TestCase):
    def test_names_are_unique_and_of_known_cases(self):
        rows = cases.rows(['a'])
        self.assertEqual(len({row['row'] for row in rows}), len(rows))
        for row in rows:
            measured, case, mode = row['row'].split('/')
            self.assertIn(measured, ('step', 'segment', 'solve', 'attention', 'parity'))
            if measured in ('step', 'segment', 'solve'):
                self.assertIn(case, cases.CASES)
            self.assertIn(mode, cases.SECONDS)
        self.assertLess(sum(row['seconds'] for row in rows if row['essential']), 8 * 60)

    def chosen(self):
        """Every measure and case eagerly, and every mode once."""
        names = [row['row'] for row in cases.rows() if not row['row'].startswith('attention/')]
        modes = {name.rsplit('/', 1)[1]: name for name in names if name.startswith('step/')}
        return [name for name in names if name.endswith('/eager') or name in modes.values()]

    def test_model_rows_run_at_their_rehearsal_size(self):
        with mock.patch.object(torch, 'compile', lambda function, dynamic: function, create=True):
            with mock.patch.object(static, 'capture', lambda function: function):
                with mock.patch.multiple(compiled, graph_breaks=lambda: 0, forget=lambda: None), mock.patch.object(
                    measure, 'need', lambda mode, device: None
                ):
                    for row in self.chosen():
                        result = measure.run(row, 'cpu', rehearsal=True)
                        self.assertEqual((result['row'], result['status']), (row, 'measured'))
                        self.assertGreater(min(result['samples']), 0)
                        self.assertGreater(result['details']['flops'], 0)

    def test_what_this_pytorch_lacks_is_no_failure(self):
        with self.assertRaisesRegex(measure.Unsupported, 'graph needs a GPU|has no compile'):
            measure.run('step/small-256/compile-graph', 'cpu', rehearsal=True)

    def test_without_a_gpu_there_is_no_device(self):
        if torch.cuda.is_available():
            self.skipTest('there is a GPU')
        with self.assertRaises(measure.NoDevice):
            measure.run('step/sudoku-384/eager')


if __name__ == '__main__':
    torch.set_num_threads(1)
    unittest.main()
