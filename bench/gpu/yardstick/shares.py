"""What each row is a share of. A figure alone says little: 2 TB/s is fine on one card and half of another."""

from floors import CASES, floor, measured_ceilings

# FLOP a clock and SM of the tensor cores, bf16 with fp32 accumulation, dense.
TENSOR_FLOP_A_CLOCK = {'8.0': 2048, '9.0': 4096}


def add(results):
    """Sets row['share'] to {of, value} where there is something to be a share of."""
    measured = {name: row for name, row in results.rows.items() if row['status'] == 'measured'}
    for row in measured.values():
        found = share_of(row, measured, results.description['gpu'])
        row['share'] = None if found is None else {'of': found[0], 'value': found[1]}


def share_of(row, rows, gpu):
    subject, _, rest = row['row'].partition('/')
    rule = RULES.get(subject)
    return None if rule is None else rule(row, rest, rows, gpu)


def of_row(name):
    def share(row, _rest, rows, _gpu):
        other = rows.get(name)
        return (name, row['median'] / other['median']) if other and other is not row else None

    return share


def of_flops(row, _rest, rows, _gpu):
    """Of the time that the FLOPs would take at the rate of a large product."""
    big = rows.get('gemm/8192x8192x8192')
    if not big or 'flops' not in row['details']:
        return None
    return 'gemm/8192x8192x8192', row['details']['flops'] / (big['median'] * 1e9) / row['median']


def of_case(row, rest, rows, _gpu):
    case = f"{row['row'].partition('/')[0]}/{rest.partition('/')[0]}"
    ceilings = measured_ceilings(rows)
    if case not in CASES or not ceilings.is_measured:
        return None
    return 'the floor of five kernels a block', floor(case, ceilings).design_ms / row['median']


def bandwidth(row, _rest, _rows, gpu):
    pins = gpu.get('pinGbPerSecond')
    return ('memory clock x bus width', row['median'] / pins) if pins else None


def gemm(row, rest, rows, gpu):
    if rest != '8192x8192x8192':
        return of_row('gemm/8192x8192x8192')(row, rest, rows, gpu)
    a_clock = TENSOR_FLOP_A_CLOCK.get(gpu.get('computeCapability'))
    if a_clock is None:
        return None
    peak_tflops = a_clock * gpu['multiprocessors'] * gpu['clockMhz'] / 1e6
    return 'tensor cores at the highest clock', row['median'] / peak_tflops


def l2(row, rest, rows, gpu):
    return of_row('bandwidth/read' if rest == 'loads' else 'l2/loads')(row, rest, rows, gpu)


def clusters(row, _rest, _rows, gpu):
    count = gpu.get('multiprocessors')
    return ('the SMs', row['details']['blocks'] / count) if count else None


def parity(row, _rest, _rows, _gpu):
    return 'the bound of its worst tensor', row['median']


RULES = {
    'bandwidth': bandwidth,
    'gemm': gemm,
    'l2': l2,
    'launch': of_row('launch/eager'),
    'barrier': of_row('launch/graph'),
    'clusters': clusters,
    'attention': of_flops,
    'step': of_case,
    'segment': of_case,
    'solve': of_case,
    'parity': parity,
}
