"""Tests of the yardstick's runner, floors and tables; `python3 test/bench/yardstick_test.py`, run by yardstick.test.ts."""

import dataclasses
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.realpath(os.path.join(HERE, '..', '..'))
sys.path.insert(0, os.path.join(ROOT, 'bench', 'gpu', 'yardstick'))

import docs  # noqa: E402
import floors  # noqa: E402
import machine  # noqa: E402
import shares  # noqa: E402
import tables  # noqa: E402
from programs import Program  # noqa: E402
from results import Results, summary  # noqa: E402

spec = importlib.util.spec_from_file_location('yardstick_main', os.path.join(ROOT, 'bench', 'gpu', 'yardstick', '__main__.py'))
main = importlib.util.module_from_spec(spec)
spec.loader.exec_module(main)

FAKE = [sys.executable, os.path.join(HERE, 'fake_rows.py')]
MACHINE = {
    'gpu': {'name': 'A GPU', 'computeCapability': '9.0', 'multiprocessors': 100, 'clockMhz': 2000.0, 'pinGbPerSecond': 4000.0},
    'driver': '1',
    'versions': {'torch': '2'},
    'date': '2026-01-01T00:00:00Z',
    'commit': 'c0ffee',
    'command': 'yardstick.sh',
    'rehearsal': False,
}


def row(name, median, unit='ms', **details):
    made = summary({'samples': [median], 'unit': unit, 'better': 'lower', 'details': details})
    return {'row': name, 'program': 'p', 'status': 'measured', **made}


def is_alive(pid):
    try:
        with open(f'/proc/{pid}/stat', encoding='utf-8') as file:
            return file.read().rpartition(')')[2].split()[0] != 'Z'
    except FileNotFoundError:
        return False


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='hrm-yardstick-')
        self.addCleanup(shutil.rmtree, self.folder)
        self.child_file = os.path.join(self.folder, 'child')
        os.environ['FAKE_ROWS_CHILD'] = self.child_file


class Programs(Folder):
    def test_what_a_row_does_is_its_own_misfortune(self):
        program = Program('fake', FAKE, self.folder)
        self.addCleanup(program.close)
        answers = {}
        for entry in program.rows():
            name = entry['row']
            answers[name] = program.ask(name, timeout_seconds=1.5 if name == 'fake/hangs' else 30)
        status = {name: answer['status'] for name, answer in answers.items()}
        failed = ['fails', 'dies', 'killed', 'hangs', 'nonsense', 'other']
        self.assertEqual([name for name, got in status.items() if got == 'failed'], [f'fake/{name}' for name in failed])
        self.assertEqual((status['fake/first'], status['fake/last']), ('measured', 'measured'))
        errors = {name: answers[f'fake/{name}']['error'] for name in failed}
        self.assertRegex(errors['dies'], 'exit 7: the last words')
        self.assertRegex(errors['killed'], 'exit -11')
        self.assertRegex(errors['hangs'], 'no answer in')
        self.assertRegex(errors['nonsense'], 'warming up')
        with open(self.child_file, encoding='utf-8') as file:
            pid = int(file.read())
        deadline = time.monotonic() + 10
        while is_alive(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertFalse(is_alive(pid), 'the helper of a program that hung goes on')

    def test_a_program_that_is_not_there_is_said(self):
        missing = Program('missing', ['/nonexistent/program'], self.folder)
        with self.assertRaisesRegex(RuntimeError, 'nonexistent'):
            missing.rows()
        self.assertEqual(missing.ask('a/b', 1)['status'], 'failed')


class Resume(Folder):
    def test_rows_are_kept_on_the_same_machine_and_commit(self):
        path = os.path.join(self.folder, 'r.json')
        first = Results(path, MACHINE)
        first.add('p', {'row': 'a', 'status': 'measured', 'unit': 'ms', 'better': 'lower', 'samples': [1]}, 1)
        first.add('p', {'row': 'b', 'status': 'failed', 'error': 'x'}, 1)
        first.add('p', {'row': 'c', 'status': 'measured', 'unit': 'ms', 'better': 'lower'}, 1)
        self.assertEqual(os.listdir(self.folder), ['r.json'])
        said = []
        again = Results(path, {**MACHINE, 'date': 'later'}, say=said.append)
        self.assertEqual([again.has(name) for name in 'abc'], [True, False, False])
        self.assertEqual(said, [])
        other = Results(path, {**MACHINE, 'commit': 'another', 'driver': '2'}, say=said.append)
        self.assertFalse(other.has('a'))
        self.assertRegex(said[0], 'driver and commit')
        self.assertFalse(Results(path, MACHINE, again=True).has('a'))

    def test_no_row_is_kept_for_sources_without_a_name(self):
        path = os.path.join(self.folder, 'r.json')
        unknown, said = {**MACHINE, 'commit': 'unknown'}, []
        Results(path, unknown).add('p', {'row': 'a', 'status': 'measured', 'unit': 'ms', 'better': 'lower', 'samples': [1]}, 1)
        self.assertFalse(Results(path, unknown, say=said.append).has('a'))
        self.assertRegex(said[0], 'another commit')

    def test_the_commit_tells_two_changes_of_a_tree_apart(self):
        def git(*arguments):
            identity = ['-c', 'user.name=a', '-c', 'user.email=a@example.org', '-c', 'commit.gpgsign=false']
            subprocess.run(['git', *identity, *arguments], cwd=self.folder, check=True, capture_output=True)

        def write(text):
            with open(os.path.join(self.folder, 'source'), 'wb') as file:
                file.write(text)
            return machine.commit(self.folder)

        git('init')
        with open(os.path.join(self.folder, 'source'), 'wb') as file:
            file.write(b'one')
        git('add', 'source')
        git('commit', '-m', 'one')
        clean, two, three = write(b'one'), write(b'two'), write(b'three \xff')
        self.assertRegex(clean, '^[0-9a-f]{12}$')
        self.assertRegex(two, f'^{clean}[+][0-9a-f]{{12}}$')
        self.assertRegex(three, f'^{clean}[+][0-9a-f]{{12}}$')
        self.assertNotEqual(two, three)
        self.assertEqual(write(b'two'), two)
        self.assertEqual(write(b'one'), clean)

    def test_spread_is_half_the_distance_of_the_quartiles(self):
        got = summary({'samples': [10, 14, 12, 16, 18], 'unit': 'GB/s', 'better': 'higher'})
        self.assertEqual((got['median'], got['best'], got['repeats']), (14, 18, 5))
        self.assertAlmostEqual(got['spread'], (16 - 12) / 2 / 14)


class Floors(unittest.TestCase):
    def test_kernels_do_the_flops_of_the_case(self):
        for name in floors.CASES:
            measure, case = name.split('/')
            config = floors.cases.CASES[case]
            flops, _ = floors.flops_of(measure, config)
            self.assertEqual(sum(kernel.flops for kernel in floors.kernels_of(measure, config)), flops, name)

    def test_official_figures(self):
        floor = floors.floor('step/sudoku-384')
        self.assertAlmostEqual(floor.flops / 1e12, 14.07, places=2)
        config = floors.cases.CASES['sudoku-384']
        self.assertEqual(floors.dense_parameters(config), 27_275_266)
        # A row alone spares nothing.
        one = dataclasses.replace(config, seq_len=0)
        self.assertEqual(floors.spared_flops(one), 0)

    def test_each_floor_is_above_the_one_before(self):
        for name in floors.CASES:
            floor = floors.floor(name)
            self.assertLessEqual(max(floor.flops_ms, floor.bytes_ms), floor.design_ms, name)

    def test_what_is_measured_replaces_what_is_assumed(self):
        rows = {
            r['row']: r
            for r in (
                row('gemm/8192x8192x8192', 395.0),
                row('bandwidth/copy', 2000.0),
                row('bandwidth/memcpy', 2150.0),
                row('launch/graph-programmatic', 2.0),
            )
        }
        found = floors.measured_ceilings(rows)
        self.assertEqual(found, (395.0, 2150.0, 2.0, True))
        self.assertAlmostEqual(
            floors.floor('step/sudoku-384', found).design_ms, 2 * floors.floor('step/sudoku-384').design_ms
        )
        del rows['launch/graph-programmatic']
        self.assertEqual(floors.measured_ceilings(rows), floors.ASSUMED)

    def test_library_time_counts_every_product(self):
        rows = {}
        for linear in floors.LINEARS:
            for part in ('forward', 'input', 'weight'):
                name = f'gemm/{linear}-31488/{part}'
                rows[name] = row(name, 1.0, 'TFLOP/s', us=1000.0)
        for direction, median in (('forward', 1.0), ('both', 3.0)):
            name = f'attention/s82-b384-{direction}/flash'
            rows[name] = row(name, median)
        # 48 blocks forward and 8 backward, of four products a block; attention 1 ms forward and 2 ms backward.
        self.assertAlmostEqual(floors.library_ms('step/sudoku-384', rows), 4 * (48 + 2 * 8) + 48 + 2 * 8)
        self.assertAlmostEqual(floors.library_ms('segment/sudoku-384', rows), 4 * 24 + 24)
        self.assertIsNone(floors.library_ms('step/sudoku-768', rows))


class Shares(unittest.TestCase):
    def shares(self, *rows):
        results = Results('/nonexistent/none.json', MACHINE)
        results.rows = {r['row']: r for r in rows}
        shares.add(results)
        return {name: r['share'] and (r['share']['of'], round(r['share']['value'], 6)) for name, r in results.rows.items()}

    def test_of_what_each_row_is_a_share(self):
        got = self.shares(
            row('gemm/8192x8192x8192', 409.6),
            row('gemm/qkv-82/forward', 40.96),
            row('bandwidth/read', 3000.0),
            row('bandwidth/copy', 3200.0),
            row('l2/loads', 6000.0),
            row('l2/tma', 3000.0),
            row('launch/eager', 4.0),
            row('launch/graph', 2.0),
            row('barrier/grid-counter', 1.0),
            row('clusters/16', 5.0, blocks=80.0),
            row('attention/s82-b384-forward/flash', 1.0, flops=204.8e9),
        )
        self.assertEqual(got['gemm/8192x8192x8192'], ('tensor cores at the highest clock', 0.5))
        self.assertEqual(got['gemm/qkv-82/forward'], ('gemm/8192x8192x8192', 0.1))
        self.assertEqual(got['bandwidth/copy'], ('memory clock x bus width', 0.8))
        self.assertEqual(got['l2/loads'], ('bandwidth/read', 2.0))
        self.assertEqual(got['l2/tma'], ('l2/loads', 0.5))
        self.assertEqual(got['launch/graph'], ('launch/eager', 0.5))
        self.assertEqual(got['barrier/grid-counter'], ('launch/graph', 0.5))
        self.assertEqual(got['clusters/16'], ('the SMs', 0.8))
        self.assertEqual(got['attention/s82-b384-forward/flash'], ('gemm/8192x8192x8192', 0.5))
        self.assertIsNone(got['launch/eager'])

    def test_a_step_is_a_share_of_its_floor(self):
        ceilings = [row('gemm/8192x8192x8192', 790.0), row('bandwidth/copy', 4300.0), row('launch/graph-programmatic', 1.0)]
        floor = floors.floor('step/sudoku-384').design_ms
        got = self.shares(*ceilings, row('step/sudoku-384/eager', 4 * floor))
        self.assertEqual(got['step/sudoku-384/eager'][1], 0.25)
        self.assertIsNone(self.shares(row('step/sudoku-384/eager', 4 * floor))['step/sudoku-384/eager'])


class Tables(unittest.TestCase):
    def test_four_significant_digits(self):
        given = (0, 0.01234, 1.23456, 12.3456, 1234.56, 123456.0)
        self.assertEqual(
            [tables.significant(value) for value in given], ['0', '0.0123', '1.235', '12.35', '1235', '123456']
        )

    def test_docs_hold_the_tables_of_what_is_committed(self):
        with open(os.path.join(ROOT, 'docs', 'gpu.md'), encoding='utf-8') as file:
            text = file.read()
        self.assertEqual(text, docs.replaced(text, ROOT), 'run bench/gpu/yardstick.sh --docs')

    def test_measured_cases_have_a_ratio(self):
        ceilings = [row('gemm/8192x8192x8192', 790.0), row('bandwidth/copy', 4300.0), row('launch/graph-programmatic', 1.0)]
        floor = floors.floor('step/sudoku-384').design_ms
        peers = [row(f'step/sudoku-384/{mode}', k * floor, peakAllocatedBytes=k * 2**30) for k, mode in ((4, 'eager'), (2, 'compile'))]
        line = next(line for line in tables.cases([*ceilings, *peers]).splitlines() if 'step/sudoku-384' in line)
        cells = [cell.strip() for cell in line.split('|')]
        self.assertEqual(cells[-3:-1], ['2.00x', 'not measured'])
        self.assertEqual(cells[-4], '4.0, 2.0 GiB')
        self.assertNotIn(' E', line)
        self.assertIn('not measured', line)


    def test_ours_is_compared_with_the_fastest_peer(self):
        ours = row('step/sudoku-384/ours', 10.0, peakAllocatedBytes=3 * 2**30)
        peers = [row(f'step/sudoku-384/{mode}', ms) for mode, ms in (('eager', 40.0), ('compile-graph', 15.0))]
        line = next(line for line in tables.cases([ours, *peers]).splitlines() if 'step/sudoku-384' in line)
        self.assertEqual([cell.strip() for cell in line.split('|')][-2], '1.50x')
        self.assertIn('10.0 ms', line)


class Turns(unittest.TestCase):
    class Answers:
        """A program whose n-th answer is n times its milliseconds."""

        def __init__(self, name, ms, log):
            self.name, self.ms, self.log, self.n = name, ms, log, 0

        def ask(self, row, timeout_seconds):
            self.n += 1
            self.log.append(row)
            return {'row': row, 'status': 'measured', 'unit': 'ms', 'better': 'lower', 'samples': [self.ms * self.n]}

        def close(self):
            self.log.append(f'close {self.name}')

    def test_ours_has_a_turn_before_the_peers_and_one_after(self):
        log = []
        ours, peers = self.Answers('ours', 1.0, log), self.Answers('peers', 5.0, log)

        def plan(name):
            return {'row': name, 'essential': False, 'seconds': 1}

        todo = main.in_turns(
            [(ours, plan('step/sudoku-96/ours')), (ours, plan('segment/sudoku-384/ours')),
             (ours, plan('activations/2x2/ours')),
             (peers, plan('step/sudoku-96/eager')), (peers, plan('step/sudoku-96/compile'))]
        )
        with tempfile.TemporaryDirectory() as folder:
            results = Results(os.path.join(folder, 'r.json'), MACHINE)
            main.measure(todo, results, 100, lambda text: None)
        order = [entry for entry in log if not entry.startswith('close')]
        self.assertEqual(
            order,
            ['step/sudoku-96/ours', 'step/sudoku-96/eager', 'step/sudoku-96/compile', 'step/sudoku-96/ours',
             'segment/sudoku-384/ours', 'activations/2x2/ours'],
        )
        got = results.rows['step/sudoku-96/ours']
        self.assertEqual((got['median'], got['repeats'], got['details']), (1.5, 2, {'turns': 2, 'drift': 1.0}))


class Rehearsal(Folder):
    def run_in(self, root, *options):
        return subprocess.run(
            ['bash', os.path.join(root, 'bench', 'gpu', 'yardstick.sh'), '--yardstick', '--no-peers', *options],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={'PATH': '/usr/bin:/bin', 'FAKE_ROWS_CHILD': self.child_file, 'HRM_COMMIT': 'abc123'},
            check=False,
        )

    def unpacked(self):
        """The files of the benches alone, as an archive gives them: no Git, no Node."""
        root = os.path.join(self.folder, 'unpacked')
        for part in ('gpu', 'peers'):
            ignored = shutil.ignore_patterns('__pycache__')
            shutil.copytree(os.path.join(ROOT, 'bench', part), os.path.join(root, 'bench', part), ignore=ignored)
        return root

    def test_failing_rows_lose_no_other_and_are_asked_again(self):
        root, base = self.unpacked(), os.path.join(self.folder, 'out', 'r')
        fake = ['--ceilings', '/nonexistent/ceilings', '--program', f"fake={' '.join(FAKE)}"]
        options = ['--rehearse', '--out', base, *fake]
        chosen = [option for name in ('first', 'fails', 'dies', 'unsupported', 'last') for option in ('--rows', f'fake/{name}')]
        first = self.run_in(root, *options, *chosen)
        self.assertEqual(first.returncode, 1, first.stderr)
        self.assertIn('cannot be listed', first.stdout)
        self.assertIn('2 failed, 2 measured, 1 unsupported', first.stdout)
        self.assertIn('failed: fake/dies: the program died, exit 7: the last words', first.stdout)
        with open(base + '.json', encoding='utf-8') as file:
            results = json.load(file)
        got = {r['row']: r for r in results['rows']}
        self.assertEqual((got['fake/last']['median'], got['fake/last']['repeats']), (2.5, 4))
        self.assertEqual(results['machine']['commit'], 'abc123')
        self.assertIn('--rehearse', results['machine']['command'])
        with open(base + '.md', encoding='utf-8') as file:
            self.assertIn('- `fake/fails`: as asked', file.read())
        second = self.run_in(root, *options, *chosen)
        self.assertIn('fake/last: kept from', second.stdout)
        self.assertIn('[3/5] fake/dies: failed', second.stdout)

    def test_a_spent_budget_leaves_rows_for_the_next_run(self):
        base = os.path.join(self.folder, 'r')
        options = ['--rehearse', '--out', base, '--program', f"fake={' '.join(FAKE)}", '--rows', 'fake/*st']
        options += ['--no-ceilings']
        self.assertIn('2 not run', self.run_in(ROOT, *options, '--budget', '0.5').stdout)
        self.assertIn('2 measured', self.run_in(ROOT, *options).stdout)

    def test_without_a_device_nothing_is_written(self):
        base = os.path.join(self.folder, 'r')
        result = self.run_in(ROOT, '--out', base, '--no-ceilings', '--program', f"fake={' '.join(FAKE)}")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn('no device: nothing measured. 10 rows are ready', result.stdout)
        self.assertFalse(os.path.exists(base + '.json'))

    def test_a_program_that_cannot_list_its_rows_is_a_failure(self):
        result = self.run_in(ROOT, '--ceilings', '/nonexistent/ceilings')
        self.assertIn('ceilings: its rows cannot be listed', result.stdout)
        self.assertEqual(result.returncode, 1)


if __name__ == '__main__':
    unittest.main()
