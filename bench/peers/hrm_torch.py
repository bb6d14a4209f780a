#!/usr/bin/env python3
"""HRM in plain PyTorch, the peer of the benches: `parity DIR...`, `serve`, `memory`, `time`, `rows`. See README.md."""

import argparse
import json
import os
import statistics
import sys


def fair_environment():
    """Starts again with the settings that libraries read once, at load: whatever makes PyTorch fastest here."""
    wanted = {}
    with open('/proc/cpuinfo', encoding='utf-8') as file:
        flags = next((line.split() for line in file if line.startswith('flags')), [])
    if all(flag in flags for flag in ('avx512f', 'avx512bw', 'avx512dq', 'avx512vl')):
        # PyTorch 1.13 stays at AVX2 unless told; elementwise kernels gain up to 40%.
        wanted['ATEN_CPU_CAPABILITY'] = 'avx512'
    missing = {key: value for key, value in wanted.items() if key not in os.environ}
    if missing:
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **missing})


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest='command', required=True)
    parity = commands.add_parser('parity', help='compare with reference outputs, tensor by tensor')
    parity.add_argument('directory', nargs='+', help='a set of reference outputs, or a folder of such sets')
    parity.add_argument('--device', default='cpu')
    parity.add_argument('--mode', default='plain', help='plain, or a mode of the yardstick: eager, compile, graph, ...')
    parity.add_argument('--threads', type=int, default=1)
    parity.add_argument('--dtype', default='float32', choices=('float32', 'bfloat16'), help='of the forward pass')
    parity.add_argument(
        '--attention', default='auto', choices=('auto', 'products'), help='products: not the fused one of 2.x'
    )
    rows = commands.add_parser('rows', help='rows of the yardstick: names on stdin, one answer a line')
    rows.add_argument('--list', action='store_true', help='list the rows and leave')
    rows.add_argument('--device', default='cuda')
    rows.add_argument('--parity', help='folder with folders of reference outputs')
    rows.add_argument('--rehearsal', action='store_true', help='tiny sizes, whose figures say nothing')
    commands.add_parser('serve', help='answer requests, one JSON object a line')
    for name, text in (('memory', 'peak memory of setup and training steps'), ('time', 'medians of forward and step')):
        command = commands.add_parser(name, help=text)
        command.add_argument('setup', nargs='?', default='{}', help='a setup request, such as \'{"hidden":128}\'')
        command.add_argument('--repeat', type=int, default=3 if name == 'memory' else 7)
    return parser.parse_args()


def measure(setup, repeat):
    """Medians and best of forward and step, interleaved after one warm-up of each."""
    from torch_peer import serve

    workload = serve.build(setup)
    flops = {'forward': workload.config.forward_flops(), 'step': workload.config.step_flops()}
    runs = {name: [getattr(workload, name)()] for name in flops}
    for _ in range(repeat):
        for name, results in runs.items():
            results.append(getattr(workload, name)())
    summary = {}
    for name, results in runs.items():
        keys = [key for key in results[0] if key.lower().endswith('ms')]
        summary[name] = {key: round(statistics.median(run[key] for run in results[1:]), 2) for key in keys}
        summary[name]['bestMs'] = round(min(run['ms'] for run in results[1:]), 2)
        summary[name]['gflops'] = round(flops[name] / summary[name]['ms'] / 1e6, 1)
    return summary


def main():
    args = arguments()
    fair_environment()
    if args.command == 'parity':
        import torch
        from torch_peer import model, parity

        model.HAS_SDPA = model.HAS_SDPA and args.attention == 'auto'
        torch.set_num_threads(args.threads)
        return 0 if parity.run_all(args.directory, args.device, args.mode, args.dtype) else 1
    if args.command == 'rows':
        from torch_peer import answer

        return answer.main(args)
    from torch_peer import serve

    if args.command == 'serve':
        serve.serve()
    elif args.command == 'memory':
        print(json.dumps(serve.weigh(json.loads(args.setup), args.repeat)))
    else:
        print(json.dumps(measure(json.loads(args.setup), args.repeat)))
    return 0


if __name__ == '__main__':
    sys.exit(main())
