/** docs/ops.md: op x dtype x gradient, from the cases that the tests run. `npm run ops-table` writes it. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { opTable } from '../../ts/ops/table';
import { composedCases, opCases } from '../cases/index';
import { asList } from './inputs';
import { ALL_DTYPES, type OpCase } from './op_case';

const file = path.resolve(__dirname, '../../../docs/ops.md');

function row(name: string, spec: OpCase): string {
  const cells = ALL_DTYPES.map((dtype) => {
    if (!spec.dtypes.includes(dtype)) return 'refused';
    return asList(spec.result?.(dtype, spec.samples[0]?.options) ?? dtype).join(', ');
  });
  return `| ${[name, ...cells, spec.gradient === true ? 'yes' : `no: ${spec.gradient}`].join(' | ')} |`;
}

export function opsTable(): string {
  const heading = (title: string): string[] => [
    `| ${[title, ...ALL_DTYPES, 'gradient'].join(' | ')} |`,
    `|${' --- |'.repeat(ALL_DTYPES.length + 2)}`,
  ];
  const rows = (cases: Readonly<Record<string, OpCase>>): string[] =>
    Object.entries(cases)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, spec]) => row(name, spec));
  return [
    '# The ops',
    '',
    'Written by `npm run ops-table` from the cases that the tests run (test/cases); a test compares the two. A cell is the',
    'dtype of the result for inputs of the dtype above it. Gradients are checked by central differences in float64.',
    '',
    'Native ops:',
    '',
    ...heading('op'),
    ...rows(opCases),
    '',
    'Views and functions composed of native ops:',
    '',
    ...heading('function'),
    ...rows(composedCases),
    '',
  ].join('\n');
}

/** Ops whose definition and case disagree about having a gradient. */
export function disagreements(): string[] {
  return Object.values(opTable)
    .filter((op) => op.differentiable !== (opCases[op.opName].gradient === true))
    .map((op) => op.opName);
}

export function writtenTable(): string {
  return readFileSync(file, 'utf8');
}

if (require.main === module) writeFileSync(file, opsTable());
