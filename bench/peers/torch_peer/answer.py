"""The yardstick's side of the peer: names of rows on stdin, one JSON answer a line on stdout. See ../README.md."""

import json
import os
import sys

from . import cases

def parity_sets(root):
    if root is None:
        return []
    return sorted(name for name in os.listdir(root) if os.path.isfile(os.path.join(root, name, 'ref.json')))


def answer(row, args):
    try:
        from . import measure
    except ImportError as error:
        return {'row': row, 'status': 'failed', 'error': f'PyTorch cannot be loaded: {error}'}
    try:
        return measure.run(row, args.device, args.rehearsal, args.parity)
    except measure.NoDevice:
        return {'row': row, 'status': 'no device'}
    except measure.Unsupported as reason:
        return {'row': row, 'status': 'unsupported', 'error': str(reason)}
    # Whatever happens in a row is the row's, and the next one is still asked.
    except Exception as error:
        return {'row': row, 'status': 'failed', 'error': f'{type(error).__name__}: {error}'}


def describe():
    """Versions for the results; a line of its own, asked as the row `device`."""
    try:
        import torch
    except ImportError:
        return {'row': 'device', 'status': 'measured', 'details': {'torch': None}}
    details = {'torch': torch.__version__, 'torchCuda': torch.version.cuda}
    try:
        import triton

        details['triton'] = triton.__version__
    except ImportError:
        details['triton'] = None
    if torch.cuda.is_available():
        details['cudnn'] = torch.backends.cudnn.version()
    return {'row': 'device', 'status': 'measured', 'details': details}


def main(args):
    if args.list:
        for entry in cases.rows(parity_sets(args.parity)):
            print(json.dumps(entry))
        return 0
    # What libraries print on stdout would be taken for answers.
    out, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        row = line.strip()
        if not row:
            continue
        result = describe() if row == 'device' else answer(row, args)
        print(json.dumps(result), file=out, flush=True)
    return 0
