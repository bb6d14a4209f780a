"""Builds the ceilings program, once for the same sources, for this GPU alone where there is one."""

import hashlib
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


def digest(folder):
    """Of the sources: an unpacked archive has the dates of its commit, which say nothing about what was built."""
    found = hashlib.sha256()
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), 'rb') as file:
            found.update(name.encode() + b'\0' + file.read())
    return found.hexdigest()[:16]


def ceilings(root, compute_capability, say):
    """Path of the program, or None where it cannot be built, after saying why."""
    compiler = nvcc()
    if compiler is None:
        say('ceilings: there is no nvcc (NVCC names one); their rows are left out')
        return None
    sources = os.path.join(root, 'bench', 'gpu', 'ceilings')
    archs = architectures(compute_capability)
    folder = os.path.join(tempfile.gettempdir(), f'hrm-ceilings-{os.getuid()}')
    os.makedirs(folder, mode=0o700, exist_ok=True)
    if os.stat(folder).st_uid != os.getuid():
        say(f"ceilings: {folder} is another user's, their rows are left out; --ceilings takes a program already built")
        return None
    out = os.path.join(folder, f"{'-'.join(archs)}-{digest(sources)}")
    if os.path.exists(out):
        return out
    start = time.monotonic()
    result = subprocess.run(
        ['bash', os.path.join(sources, 'build.sh'), out, *archs],
        env={**os.environ, 'NVCC': compiler, 'WERROR': ''},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        say(f'ceilings: {compiler} failed, their rows are left out:\n{result.stdout}{result.stderr}')
        return None
    say(f"ceilings: built for {', '.join(archs)} in {time.monotonic() - start:.0f} s")
    return out
