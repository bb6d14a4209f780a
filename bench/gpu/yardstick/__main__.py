"""The yardstick's runner: asks the programs row by row, writes what they answer after each, and the tables at the end."""

import argparse
import fnmatch
import os
import sys
import time

import build
import docs
import machine
import ours
import shares
import tables
from floors import CASES
from programs import Program
from results import Results, joined

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', '..'))
BUDGET_SECONDS = {True: 8 * 60, False: 20 * 60}


def arguments(argv):
    parser = argparse.ArgumentParser(
        prog='yardstick.sh',
        description='Measures a GPU and PyTorch at the work of the model. Rows measured before are kept: run it again to go on.',
    )
    parser.add_argument('--yardstick', action='store_true', help='leaves this engine out: the ceilings and the peers alone')
    parser.add_argument('--essential', action='store_true', help='Sudoku at 384, one puzzle, products, bandwidth, launches')
    parser.add_argument('--rows', metavar='GLOB', action='append', help='only rows like this; may be repeated')
    parser.add_argument('--out', metavar='BASE', help='writes BASE.json and BASE.md; default bench/results/yardstick_GPU')
    parser.add_argument('--again', action='store_true', help='measures again what BASE.json has already')
    parser.add_argument('--budget', type=float, metavar='S', help='starts no row after so many seconds (8 or 20 minutes)')
    parser.add_argument('--list', action='store_true', help='prints the rows and leaves')
    parser.add_argument('--docs', action='store_true', help='writes the tables of docs/gpu.md anew, and leaves')
    parser.add_argument('--rehearse', action='store_true', help='tiny sizes on the CPU: shows that all runs, needs --out')
    parser.add_argument('--ceilings', metavar='FILE', help='the ceilings program, already built')
    parser.add_argument('--no-ceilings', action='store_true', help='leaves the ceilings program out')
    parser.add_argument('--no-peers', action='store_true', help='leaves PyTorch out')
    parser.add_argument('--parity', metavar='DIR', help='reference outputs; default $HRM_SHARED/parity, if there')
    parser.add_argument(
        '--program', metavar='NAME=COMMAND', action='append', default=[], help='a further program that answers rows'
    )
    args = parser.parse_args(argv)
    if args.rehearse and args.out is None:
        parser.error('--rehearse needs --out: its figures say nothing and must not lie among results')
    for text in args.program:
        if '=' not in text:
            parser.error(f'--program expects NAME=COMMAND, got {text!r}')
    return args


def programs_of(args, say):
    """The programs that could be had; what is missing is said, and its rows are not known."""
    made = [] if args.yardstick else ours.programs(ROOT, args.rehearse, say)
    ceilings = None
    if not args.no_ceilings:
        ceilings = args.ceilings or build.ceilings(ROOT, machine.compute_capability(), say)
    if ceilings is not None:
        made.append(Program('ceilings', [os.path.abspath(ceilings)], ROOT))
    python = None if args.no_peers else machine.torch_python()
    if python is not None:
        command = [python, os.path.join(ROOT, 'bench', 'peers', 'hrm_torch.py'), 'rows']
        parity = args.parity or os.path.join(os.environ.get('HRM_SHARED', os.path.join(ROOT, '..', 'shared')), 'parity')
        if args.parity or os.path.isdir(parity):
            command += ['--parity', os.path.abspath(parity)]
        if args.rehearse:
            command += ['--device', 'cpu', '--rehearsal']
        made.append(Program('peers', command, ROOT))
    elif not args.no_peers:
        say('peers: no python3 with torch and numpy (HRM_PEER_PYTHON names one); their rows are left out')
    for text in args.program:
        name, command = text.split('=', 1)
        made.append(Program(name, command.split(), os.getcwd()))
    return made


def plan(programs, args, say):
    """([(program, row)] in the order to run, names of programs that could not list theirs): what is essential first."""
    found, silent = [], []
    for program in programs:
        try:
            found += [(program, row) for row in program.rows()]
        except RuntimeError as error:
            silent.append(program.name)
            say(f'{program.name}: its rows cannot be listed: {error}')
    if args.rows:
        found = [(p, row) for p, row in found if any(fnmatch.fnmatchcase(row['row'], glob) for glob in args.rows)]
    if args.essential:
        found = [(p, row) for p, row in found if row['essential']]
    return in_turns(sorted(found, key=lambda entry: not entry[1]['essential'])), silent


def subject(row):
    """The case of a row that several programs answer, such as step/sudoku-384; else the row."""
    case, _, _ = row['row'].rpartition('/')
    return case if case in CASES else row['row']


def in_turns(found):
    """The rows of a case beside each other, so that a slow minute of the card falls on all of them."""
    order = {}
    for _, row in found:
        order.setdefault((not row['essential'], subject(row)), len(order))
    return sorted(found, key=lambda entry: order[not entry[1]['essential'], subject(entry[1])])


def measure(todo, results, budget_seconds, say):
    """
    Asks for every row that has no figure yet. One program runs at a time. After the peers of a case have had their turn,
    this engine has a second one, whose samples join those of the first.
    """
    start, running, first_turns = time.monotonic(), None, {}

    def ask(program, row, left):
        nonlocal running
        if running not in (None, program):
            running.close()
        running = program
        asked = time.monotonic()
        answer = program.ask(row['row'], timeout_seconds=30 + min(4 * row['seconds'], left))
        return answer, time.monotonic() - asked

    for index, (program, row) in enumerate(todo):
        name = row['row']
        if results.has(name):
            say(f'  {name}: kept from {results.rows[name]["date"]}')
            continue
        left = budget_seconds - (time.monotonic() - start)
        if row['seconds'] > left:
            results.add(program.name, {'row': name, 'status': 'not run', 'error': f'{budget_seconds:.0f} s were spent'}, 0)
            say(f'  {name}: not run, the budget is spent')
            continue
        answer, seconds = ask(program, row, left)
        results.add(program.name, answer, seconds)
        say(f'  [{index + 1}/{len(todo)}] {name}: {tables.figure_of(results.rows[name])}')
        if program.name in tables.OURS and answer['status'] == 'measured':
            first_turns[name] = (program, row, answer)
        following = todo[index + 1][1] if index + 1 < len(todo) else None
        if program.name in tables.OURS or (following is not None and subject(following) == subject(row)):
            continue
        # The last peer of the case has answered.
        for ours_name in [n for n, turn in first_turns.items() if subject(turn[1]) == subject(row)]:
            ours_program, ours_row, first = first_turns.pop(ours_name)
            left = budget_seconds - (time.monotonic() - start)
            if ours_row['seconds'] > left:
                continue
            second, seconds = ask(ours_program, ours_row, left)
            if second['status'] != 'measured':
                results.add(ours_program.name, second, seconds)
            else:
                results.add(ours_program.name, joined(first, second), seconds)
            say(f'  second turn of {ours_name}: {tables.figure_of(results.rows[ours_name])}')
    if running is not None:
        running.close()


def main(argv):
    args = arguments(argv)

    def say(text):
        print(text, flush=True)

    if args.docs:
        docs.write(ROOT)
        return 0
    programs = programs_of(args, say)
    todo, silent = plan(programs, args, say)
    if args.list:
        for program, row in todo:
            say(f"{program.name:<10} {row['row']:<44} {'essential' if row['essential'] else '':<10} {row['seconds']} s")
        seconds = {kind: sum(r['seconds'] for _, r in todo if r['essential'] or not kind) for kind in (True, False)}
        say(f'{len(todo)} rows; planned: {seconds[True]:.0f} s for the essential ones, {seconds[False]:.0f} s for all')
        return 0
    description = machine.describe(ROOT, programs, argv)
    say(machine.line(description))
    is_here = description['gpu'].get('name') is not None
    if not is_here and not args.rehearse:
        say(f'no device: nothing measured. {len(todo)} rows are ready; on a machine with a GPU run the same command.')
        for program in programs:
            program.close()
        return 1 if silent else 0
    base = args.out or os.path.join(ROOT, 'bench', 'results', f"yardstick_{machine.slug(description)}")
    results = Results(base + '.json', description, args.again, say)
    budget_seconds = args.budget if args.budget is not None else BUDGET_SECONDS[args.essential]
    try:
        measure(todo, results, budget_seconds, say)
    finally:
        for program in programs:
            program.close()
        shares.add(results)
        results.save()
        with open(base + '.md', 'w', encoding='utf-8') as file:
            file.write(tables.markdown(results.as_json()))
    say('\n' + tables.text(results.as_json()))
    failed = [row['row'] for _, row in todo if results.rows[row['row']]['status'] == 'failed']
    say(f'wrote {base}.json and {base}.md; {tables.count(results.rows)}')
    for name in failed:
        say(f"  failed: {name}: {results.rows[name]['error']}")
    return 1 if failed or silent else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
