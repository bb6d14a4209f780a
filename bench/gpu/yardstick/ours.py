"""This engine as programs that answer rows: with the products it chooses, and with those of its own kernels alone."""

import dataclasses
import json
import os
import shutil

from floors import CASES, cases
from programs import Program


def records(rehearsal):
    """{'step/sudoku-384': the case in the reference's words}: what the peers compute."""
    sizes = cases.REHEARSAL if rehearsal else cases.CASES
    return {name: dataclasses.asdict(sizes[name.split('/')[1]]) for name in CASES}


def addon(root, rehearsal):
    """(file, device): a build with CUDA; in a rehearsal the simulation, or else the CPU."""
    named = os.environ.get('HRM_ADDON')
    folder = os.path.join(root, 'build', 'Release')
    known = [os.path.join(root, 'build-cuda', 'Release', 'hrm.node'), os.path.join(folder, 'hrm.node')]
    if rehearsal:
        simulated = os.path.join(folder, 'hrm_simt.node')
        if named is None and os.path.exists(simulated):
            return simulated, 'simt'
        return named or known[1], 'simt' if named and 'simt' in os.path.basename(named) else 'cpu'
    # As the engine itself: the one that was built last. One without CUDA says so in its rows.
    built = [file for file in known if os.path.exists(file)]
    return named or max(built, key=os.path.getmtime, default=None), 'cuda'


def programs(root, rehearsal, say):
    node = os.environ.get('HRM_NODE') or shutil.which('node')
    rows = os.path.join(root, 'dist-test', 'bench', 'gpu', 'rows.js')
    file, device = addon(root, rehearsal)
    missing = [what for what, there in (
        ('node (HRM_NODE names one)', node),
        (rows, os.path.exists(rows)),
        ('an addon (HRM_ADDON names one; npm run build -- --cuda)', file and os.path.exists(file)),
    ) if not there]
    if missing:
        say(f"ours: there is no {', no '.join(missing)}; our rows are left out")
        return []
    given = ['--cases', json.dumps(records(rehearsal)), '--device', device] + (['--rehearsal'] if rehearsal else [])
    made = []
    for mode, settings in (('ours', []), ('ours-own', ['HRM_GEMM=own'])):
        command = ['env', f'HRM_ADDON={os.path.abspath(file)}', *settings, node, rows, '--mode', mode, *given]
        made.append(Program(mode, command, root))
    return made
