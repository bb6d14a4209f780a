"""The line protocol: one JSON object a line on stdin, one answer a line on stdout; see ../README.md."""

import ctypes
import json
import platform
import sys

import torch
import torch.nn.functional as F

from .config import Config
from .workload import Workload

# Request key -> configuration field.
FIELDS = {
    'hidden': 'hidden_size',
    'heads': 'num_heads',
    'batch': 'batch_size',
    'seq': 'seq_len',
    'vocab': 'vocab_size',
    'expansion': 'expansion',
    'hCycles': 'H_cycles',
    'lCycles': 'L_cycles',
    'hLayers': 'H_layers',
    'lLayers': 'L_layers',
    'posEncodings': 'pos_encodings',
    'puzzleEmbNdim': 'puzzle_emb_ndim',
    'puzzles': 'num_puzzle_identifiers',
    'haltMaxSteps': 'halt_max_steps',
    'haltExplorationProb': 'halt_exploration_prob',
    'loss': 'loss_type',
    'dtype': 'forward_dtype',
}
LOSSES = {'stablemax': 'stablemax_cross_entropy', 'softmax': 'softmax_cross_entropy'}
DEFAULT_HEAD_DIM = 64


def memory_of_process():
    """(resident now, its peak) in bytes. Not getrusage: its peak survives exec, so a large parent would show."""
    with open('/proc/self/status', encoding='utf-8') as file:
        fields = dict(line.split(':', 1) for line in file)
    return tuple(int(fields[key].split()[0]) * 1024 for key in ('VmRSS', 'VmHWM'))


def configure(request):
    """(Config, what concerns the process) of a setup request; unknown keys are refused."""
    values = dict(request)
    process = {
        'threads': int(values.pop('threads', 1)),
        'device': values.pop('device', 'cpu'),
        'compile': bool(values.pop('compile', False)),
        'seed': int(values.pop('seed', 0)),
    }
    layers = values.pop('layers', 4)
    values = {'hLayers': layers, 'lLayers': layers, 'hidden': 512, **values}
    values.setdefault('heads', max(1, values['hidden'] // DEFAULT_HEAD_DIM))
    values.setdefault('puzzleEmbNdim', values['hidden'])
    if values.get('loss') in LOSSES:
        values['loss'] = LOSSES[values['loss']]
    unknown = sorted(set(values) - set(FIELDS))
    if unknown:
        raise ValueError(f"setup: unknown keys {', '.join(unknown)}; known are {', '.join(sorted(FIELDS))}")
    return Config(**{FIELDS[key]: value for key, value in values.items()}), process


def build(request):
    config, process = configure(request)
    torch.set_num_threads(process['threads'])
    return Workload(config, process['device'], process['compile'], process['seed'])


def openblas():
    """What the loaded OpenBLAS says of itself, or None (a PyTorch with another BLAS)."""
    with open('/proc/self/maps', encoding='utf-8') as file:
        paths = sorted({line.split()[-1] for line in file if 'blas' in line and '.so' in line})
    for path in paths:
        library = ctypes.CDLL(path)
        if not hasattr(library, 'openblas_get_config'):
            continue
        library.openblas_get_config.restype = ctypes.c_char_p
        library.openblas_get_corename.restype = ctypes.c_char_p
        return {
            'path': path,
            'config': library.openblas_get_config().decode(),
            'core': library.openblas_get_corename().decode(),
            'threading': {0: 'sequential', 1: 'pthread', 2: 'openmp'}.get(library.openblas_get_parallel()),
        }
    return None


def versions():
    torch.mm(torch.ones(1, 1), torch.ones(1, 1))
    capability = [line for line in torch.__config__.show().splitlines() if 'CPU capability' in line]
    return {
        'python': platform.python_version(),
        'torch': torch.__version__,
        'blas': openblas(),
        'cpuCapability': capability[0].split(':')[-1].strip() if capability else None,
        'threads': torch.get_num_threads(),
        'scaledDotProductAttention': hasattr(F, 'scaled_dot_product_attention'),
        'compile': hasattr(torch, 'compile'),
        'cuda': torch.version.cuda,
    }


class Server:
    def __init__(self):
        self.rss_after_import, _ = memory_of_process()
        self.workload = None

    def ready(self):
        if self.workload is None:
            raise ValueError('no model; send {"cmd":"setup"} first')
        return self.workload

    def setup(self, request):
        self.workload = build(request)
        config = self.workload.config
        return {
            'parameters': sum(p.numel() for p in self.workload.model.parameters()),
            'forwardFlops': config.forward_flops(),
            'stepFlops': config.step_flops(),
        }

    def forward(self, _request):
        return self.ready().forward()

    def step(self, _request):
        return self.ready().step()

    def memory(self, _request):
        rss, peak = memory_of_process()
        return {'rssAfterImportBytes': self.rss_after_import, 'rssBytes': rss, 'peakRssBytes': peak}

    def versions(self, _request):
        return versions()

    def answer(self, line):
        commands = {
            'setup': self.setup,
            'forward': self.forward,
            'step': self.step,
            'memory': self.memory,
            'versions': self.versions,
        }
        try:
            request = json.loads(line)
            if not isinstance(request, dict):
                raise ValueError('a request is a JSON object')
            command = request.pop('cmd', None)
            if command not in commands:
                raise ValueError(f"unknown cmd {command!r}; known are {', '.join(commands)}")
            return {'ok': True, **commands[command](request)}
        except (ValueError, TypeError, RuntimeError) as error:
            return {'ok': False, 'error': f'{type(error).__name__}: {error}'}


def serve():
    server = Server()
    for line in sys.stdin:
        if line.strip():
            print(json.dumps(server.answer(line)), flush=True)


def weigh(request, steps):
    """Memory of this process after setup and some training steps; meaningful in a fresh process only."""
    server = Server()
    server.setup(request)
    for _ in range(steps):
        server.step({})
    memory = server.memory({})
    return {**memory, 'peakLessImportBytes': memory['peakRssBytes'] - memory['rssAfterImportBytes']}
