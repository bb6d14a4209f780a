"""A program for the yardstick's tests that answers rows and meets every misfortune: `fake_rows.py [--list]`."""

import json
import os
import subprocess
import sys
import time

ROWS = {
    'fake/first': True,
    'fake/fails': True,
    'fake/dies': False,
    'fake/killed': False,
    'fake/hangs': False,
    'fake/nonsense': False,
    'fake/other': False,
    'fake/incomplete': False,
    'fake/unsupported': False,
    'fake/last': False,
}


def say(answer):
    print(json.dumps(answer), flush=True)


def measured(row):
    say({'row': row, 'status': 'measured', 'unit': 'ms', 'better': 'lower', 'samples': [2, 1, 4, 3], 'details': {}})


def hang(_row):
    # A helper that must not outlive its parent.
    child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
    with open(os.environ['FAKE_ROWS_CHILD'], 'w', encoding='utf-8') as file:
        file.write(str(child.pid))
    time.sleep(600)


def die(_row):
    print('the last words', file=sys.stderr)
    sys.exit(7)


ANSWERS = {
    'fake/fails': lambda row: say({'row': row, 'status': 'failed', 'error': 'as asked'}),
    'fake/dies': die,
    'fake/killed': lambda row: os.kill(os.getpid(), 11),
    'fake/hangs': hang,
    'fake/nonsense': lambda row: print('warming up ...', flush=True),
    'fake/other': lambda row: measured('fake/first'),
    'fake/incomplete': lambda row: say({'row': row, 'status': 'measured', 'unit': 'ms', 'better': 'lower'}),
    'fake/unsupported': lambda row: say({'row': row, 'status': 'unsupported', 'error': 'not on this device'}),
    'device': lambda row: say({'row': row, 'status': 'no device'}),
}


def main():
    if sys.argv[1:] == ['--list']:
        for row, is_essential in ROWS.items():
            say({'row': row, 'essential': is_essential, 'seconds': 1})
        return
    for line in sys.stdin:
        row = line.strip()
        ANSWERS.get(row, measured)(row)


if __name__ == '__main__':
    main()
