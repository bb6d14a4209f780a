"""Rows as tables: for a terminal, and as Markdown laid out as the formatter of this repository wants it."""

import machine
from floors import ASSUMED, CASES, floor, library_ms, measured_ceilings

NOT_MEASURED = 'not measured'
OURS = ('ours', 'ours-own')
MODES = ('eager', 'compile', 'compile-graph')
HEAD = ('row', 'median', 'unit', 'spread', 'n', 'share', 'of', 'peak memory')


def significant(value, digits=4):
    """Without exponent for the figures that occur."""
    if value == 0:
        return '0'
    magnitude = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    decimals = max(0, digits - magnitude)
    return f'{value:.{decimals}f}'


def figure_of(row):
    if row['status'] != 'measured':
        return row['status'] + (f": {row['error']}" if row.get('error') not in (None, row['status']) else '')
    return f"{significant(row['median'])} {row['unit']} ±{row['spread'] * 100:.1f}%"


def cells(row):
    if row['status'] != 'measured':
        return [row['row'], row['status'], '', '', '', '', '', '']
    share = row['share']
    peak = row['details'].get('peakAllocatedBytes')
    return [
        row['row'],
        significant(row['median']),
        row['unit'],
        f"±{row['spread'] * 100:.1f}%",
        str(row['repeats']),
        '' if share is None else significant(share['value'], 3),
        '' if share is None else share['of'],
        '' if peak is None else f'{peak / 2**30:.2f} GiB',
    ]


def align(lines):
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return [[cell.ljust(width) for cell, width in zip(line, widths)] for line in lines]


def text(results):
    return '\n'.join('  '.join(line).rstrip() for line in align([list(HEAD), *map(cells, results['rows'])]))


def grid(head, lines):
    """A Markdown table."""
    padded = align([list(head), *lines]) if lines else align([list(head)])
    rule = ['-' * max(3, len(cell)) for cell in padded[0]]
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in [padded[0], rule, *padded[1:]])


def count(rows):
    by = {}
    for row in rows.values():
        by[row['status']] = by.get(row['status'], 0) + 1
    return ', '.join(f'{number} {status}' for status, number in sorted(by.items()))


def markdown(results):
    description = results['machine']
    gpu = description['gpu']
    said = [f'{key} {significant(gpu[key], 6)}' for key in ('multiprocessors', 'clockMhz', 'pinGbPerSecond') if key in gpu]
    parts = [
        '# Yardstick',
        f'{machine.line(description)}.' + (f" {', '.join(said)}." if said else ''),
        f"Command: `{description['command']}`.",
        grid(HEAD, [cells(row) for row in results['rows']]),
        '## Cases',
        cases(results['rows']),
    ]
    if description['rehearsal']:
        parts.insert(1, '**A rehearsal: tiny sizes on a CPU, whose figures say nothing.**')
    failed = [f"- `{row['row']}`: {row['error']}" for row in results['rows'] if row['status'] in ('failed', 'unsupported')]
    return '\n\n'.join(parts + (['## Without a figure', '\n'.join(failed)] if failed else [])) + '\n'


def mode_cell(row):
    return NOT_MEASURED if row is None or row['status'] != 'measured' else f"{significant(row['median'], 3)} ms"


def cases(rows):
    """Floor, ceiling, ours, peers and the ratios to aim at and reached, a line a case."""
    known = {row['row']: row for row in rows}
    ceilings = measured_ceilings(known)
    mark = '' if ceilings.is_measured else ' E'
    head = ['case', 'TFLOP', 'needed', 'FLOP floor', 'byte floor', 'five kernels a block', 'library products']
    lines = []
    for case in CASES:
        found = floor(case, ceilings)
        library = library_ms(case, known)
        ours, peers = ([known.get(f'{case}/{mode}') for mode in modes] for modes in (OURS, MODES))
        medians, own = (
            [row['median'] for row in rows if row is not None and row['status'] == 'measured'] for rows in (peers, ours[:1])
        )
        everybody = [row for row in (*ours, *peers) if row is not None and row['status'] == 'measured']
        peaks = [row['details'].get('peakAllocatedBytes') for row in everybody]
        lines.append(
            [
                case,
                f'{found.flops / 1e12:.2f}',
                f'{found.needed_flops / 1e12:.2f}',
                f'{significant(found.flops_ms, 3)} ms{mark}',
                f'{significant(found.bytes_ms, 3)} ms{mark}',
                f'{significant(found.design_ms, 3)} ms{mark}',
                NOT_MEASURED if library is None else f'{significant(library, 3)} ms',
                *map(mode_cell, ours),
                *map(mode_cell, peers),
                ', '.join(NOT_MEASURED if peak is None else f'{peak / 2**30:.1f}' for peak in peaks) + ' GiB'
                if peaks
                else NOT_MEASURED,
                f'{significant(min(medians) / found.design_ms, 3)}x' if medians and ceilings.is_measured else NOT_MEASURED,
                f'{significant(min(medians) / own[0], 3)}x' if medians and own else NOT_MEASURED,
            ]
        )
    return grid([*head, *OURS, *MODES, 'peak memory', 'ratio to aim at', 'ratio reached'], lines)


def ceilings(rows):
    """What the floors stand on."""
    known = {row['row']: row for row in rows}
    found = measured_ceilings(known)

    def cell(value, unit):
        return f'{significant(value)} {unit}' if found.is_measured else NOT_MEASURED

    lines = [
        ['product of 8192, bf16', f'{ASSUMED.tflops:.0f} TFLOP/s E', cell(found.tflops, 'TFLOP/s')],
        ['copy, read and written', f'{ASSUMED.gbps:.0f} GB/s E', cell(found.gbps, 'GB/s')],
        ['gap between kernels in a graph', f'{ASSUMED.gap_us:.1f} us E', cell(found.gap_us, 'us')],
    ]
    return grid(['ceiling', 'assumed', 'measured'], lines)
