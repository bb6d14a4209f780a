"""What the figures were measured on."""

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys

from results import UNKNOWN_COMMIT, now


def run(*command, cwd=None):
    """What a command prints, or None where it fails or is not there."""
    try:
        result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def smi(field):
    if shutil.which('nvidia-smi') is None:
        return None
    said = run('nvidia-smi', f'--query-gpu={field}', '--format=csv,noheader', '--id=0')
    return said.splitlines()[0].strip() if said else None


def compute_capability():
    return smi('compute_cap')


def commit(root):
    """
    The commit of the sources, with + and a digest of the difference where they differ from it, so that rows of other sources
    are not kept; of an unpacked archive, what the archive says.
    """
    top = run('git', 'rev-parse', '--show-toplevel', cwd=root)
    if top is not None and os.path.realpath(top) == os.path.realpath(root):
        command = ['git', 'diff', 'HEAD', '--binary', '--no-color', '--no-ext-diff', '--no-textconv']
        difference = subprocess.run(command, cwd=root, capture_output=True, timeout=60, check=True).stdout
        digest = '+' + hashlib.sha256(difference).hexdigest()[:12] if difference else ''
        return run('git', 'rev-parse', '--short=12', 'HEAD', cwd=root) + digest
    with open(os.path.join(root, 'bench', 'gpu', 'COMMIT'), encoding='utf-8') as file:
        text = file.read().strip()
    return os.environ.get('HRM_COMMIT', UNKNOWN_COMMIT) if text.startswith('$') else text[:12]


def torch_python():
    """As findTorchPython in bench/peers/hrm_torch.ts, but without loading PyTorch, which takes seconds."""
    asked = os.environ.get('HRM_PEER_PYTHON')
    test = 'import importlib.util as u, sys; sys.exit(not (u.find_spec("torch") and u.find_spec("numpy")))'
    candidates = [asked] if asked else ['/usr/bin/python3', 'python3']
    return next((python for python in candidates if run(python, '-c', test) is not None), None)


def describe(root, programs, argv):
    """For the results; asks every program about the device, and takes what it knows."""
    gpu, versions = {}, {'python': '.'.join(map(str, sys.version_info[:3]))}
    for program in programs:
        answer = program.ask('device', timeout_seconds=120)
        details = dict(answer.get('details', {}))
        versions.update({key: details.pop(key) for key in list(details) if key in VERSIONS})
        gpu.update(details)
        program.close()
    compiler = run('nvcc', '--version')
    if compiler:
        versions['nvcc'] = re.findall(r'V([\d.]+)', compiler)[-1]
    return {
        'gpu': gpu,
        'driver': smi('driver_version'),
        'versions': {key: value for key, value in versions.items() if value is not None},
        'date': now(),
        'commit': commit(root),
        'command': shlex.join(['bench/gpu/yardstick.sh', *argv]),
        'rehearsal': '--rehearse' in argv,
    }


VERSIONS = ('torch', 'torchCuda', 'triton', 'cudnn', 'cublasLt', 'driverCuda', 'runtimeCuda')


def line(description):
    gpu = description['gpu'].get('name') or 'no GPU'
    versions = ', '.join(f'{name} {value}' for name, value in description['versions'].items())
    return f"{gpu}, driver {description['driver'] or 'none'}; {versions}; commit {description['commit']}, {description['date']}"


def slug(description):
    """A name for files: nvidia-h100-80gb-hbm3."""
    return re.sub(r'[^a-z0-9]+', '-', (description['gpu'].get('name') or 'none').lower()).strip('-')
