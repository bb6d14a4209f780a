"""Builds the ceilings program where it is older than its sources, for this GPU alone where there is one."""

import os
import shutil
import subprocess
import tempfile
import time


def architectures(compute_capability):
    if compute_capability is None:
        return ['80', '90a']
    plain = compute_capability.replace('.', '')
    # The instructions of Hopper are those of this chip alone, which nvcc marks with an a.
    return ['90a' if plain == '90' else plain]


def nvcc():
    found = os.environ.get('NVCC') or shutil.which('nvcc')
    usual = '/usr/local/cuda/bin/nvcc'
    return found or (usual if os.path.exists(usual) else None)


def ceilings(root, compute_capability, say):
    """Path of the program, or None where it cannot be built, after saying why."""
    compiler = nvcc()
    if compiler is None:
        say('ceilings: there is no nvcc (NVCC names one); their rows are left out')
        return None
    sources = os.path.join(root, 'bench', 'gpu', 'ceilings')
    archs = architectures(compute_capability)
    folder = os.path.join(tempfile.gettempdir(), f'hrm-ceilings-{os.getuid()}')
    out = os.path.join(folder, f"ceilings-{'-'.join(archs)}")
    newest = max(os.stat(os.path.join(sources, name)).st_mtime for name in os.listdir(sources))
    if os.path.exists(out) and os.stat(out).st_mtime > newest and owned(folder):
        return out
    start = time.monotonic()
    result = subprocess.run(
        ['bash', os.path.join(sources, 'build.sh'), out, *archs],
        env={**os.environ, 'NVCC': compiler},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        say(f'ceilings: {compiler} failed, their rows are left out:\n{result.stdout}{result.stderr}')
        return None
    say(f"ceilings: built for {', '.join(archs)} in {time.monotonic() - start:.0f} s")
    return out


def owned(folder):
    """Not somebody else's program under the name of ours."""
    return os.stat(folder).st_uid == os.getuid()
