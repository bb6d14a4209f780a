/**
 * This engine's side of the GPU's yardstick: names of rows on stdin, one JSON answer a line on stdout (docs/gpu.md).
 *   rows.js --cases JSON [--mode ours|ours-own] [--device cuda] [--rehearsal] [--list]
 */
import { createInterface } from 'node:readline';
import { DeviceError } from '../../ts/error';
import { addon } from '../../ts/native/boundary';
import type { Device } from '../../ts/native/device';
import { caseOf, type Mode, MODES, type PeerConfig, rowsOf } from './cases';
import { type Answer, measureActivations, measureTime, type Sampling } from './measure';

interface Options {
  cases: Record<string, PeerConfig>;
  mode: Mode;
  device: Device;
  rehearsal: boolean;
  list: boolean;
}

function optionsOf(argv: readonly string[]): Options {
  const options: Options = { cases: {}, mode: 'ours', device: 'cuda', rehearsal: false, list: false };
  for (let i = 0; i < argv.length; ++i) {
    const [flag, value] = [argv[i], argv[i + 1]];
    if (flag === '--cases' && value) options.cases = JSON.parse(value) as Record<string, PeerConfig>;
    else if (flag === '--mode' && MODES.includes(value as Mode)) options.mode = value as Mode;
    else if (flag === '--device' && value) options.device = value as Device;
    else if (flag === '--rehearsal') options.rehearsal = true;
    else if (flag === '--list') options.list = true;
    else throw new RangeError(`rows: unknown argument ${flag}`);
    if (['--cases', '--mode', '--device'].includes(flag)) ++i;
  }
  return options;
}

const SAMPLING = { step: 15, segment: 15, solve: 45 } as const;

function samplingOf(measure: string, rehearsal: boolean): Sampling {
  if (rehearsal) return { repeats: 2, leastMs: 0 };
  return { repeats: SAMPLING[measure as keyof typeof SAMPLING], leastMs: 100 };
}

function measured(row: string, { cases, device, mode, rehearsal }: Options): Answer {
  if (!rowsOf(cases, mode, rehearsal).some((known) => known.row === row)) throw new RangeError(`unknown row ${row}`);
  const measure = row.split('/')[0]!;
  const item = caseOf(cases, row);
  if (measure === 'activations') return measureActivations(item, device);
  return measureTime(measure, item, device, samplingOf(measure, rehearsal));
}

/** Whatever happens in a row is the row's, and the next one is still asked. */
function answer(row: string, options: Options): object {
  const { name, missing } = addon().gpu();
  // The runner asks so before the first row: what it prints beside the figures.
  if (row === 'device')
    return { row, status: 'measured', details: { hrmNode: process.version, hrmDevice: name ?? 'cpu' } };
  try {
    return { row, status: 'measured', ...measured(row, options) };
  } catch (error) {
    if (error instanceof DeviceError && missing !== null) return { row, status: 'no device', error: missing };
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return { row, status: 'failed', error: text };
  }
}

async function main(argv: readonly string[]): Promise<void> {
  const options = optionsOf(argv);
  const say = (value: object): void => void process.stdout.write(`${JSON.stringify(value)}\n`);
  if (options.list) {
    for (const plan of rowsOf(options.cases, options.mode, options.rehearsal)) say(plan);
    return;
  }
  for await (const line of createInterface({ input: process.stdin })) {
    const row = line.trim();
    if (row !== '') say(answer(row, options));
  }
}

void main(process.argv.slice(2));
