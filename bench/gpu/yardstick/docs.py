"""The tables of docs/gpu.md, from the results that are committed; without any, every measured column says so."""

import glob
import json
import os
import re

import machine
import tables

BEGIN, END = '<!-- tables: bench/gpu/yardstick.sh --docs -->', '<!-- end of tables -->'


def newest(root):
    """The latest committed results of a GPU, or None."""
    found = []
    for path in glob.glob(os.path.join(root, 'bench', 'results', 'yardstick_*.json')):
        with open(path, encoding='utf-8') as file:
            results = json.load(file)
        if not results['machine']['rehearsal'] and results['machine']['gpu'].get('name'):
            found.append((results['machine']['date'], results))
    return max(found, key=lambda entry: entry[0])[1] if found else None


def generated(root):
    results = newest(root)
    rows = results['rows'] if results else []
    where = f'Measured: {machine.line(results["machine"])}.' if results else 'No GPU could be had yet: not measured.'
    return '\n\n'.join([where, tables.ceilings(rows), tables.cases(rows)])


def replaced(text, root):
    pattern = re.compile(f'{re.escape(BEGIN)}.*?{re.escape(END)}', re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f'docs/gpu.md: expected the mark {BEGIN}')
    return pattern.sub(lambda _: f'{BEGIN}\n\n{generated(root)}\n\n{END}', text)


def write(root):
    path = os.path.join(root, 'docs', 'gpu.md')
    with open(path, encoding='utf-8') as file:
        text = file.read()
    with open(path, 'w', encoding='utf-8') as file:
        file.write(replaced(text, root))
