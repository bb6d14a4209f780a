/** `hrm parity`: this engine against stored outputs of the reference implementation. */
import { parity } from '../train/parity';
import type { ParityRow } from '../train/parity_compare';
import { defineCommand, EXIT_FAILURE, EXIT_OK } from './command';
import { deviceOption } from './open_model';
import { renderTable } from './table';

const number = (value: number): string => (value === 0 ? '0' : value.toExponential(2));

/** A table, one row a tensor; the last line counts. */
export function renderParity(rows: readonly ParityRow[]): string {
  const lines = rows.map(({ name, kind, error, bound, ok, chained }) => [
    ...[name, kind, number(error), number(bound), chained === undefined ? '' : number(chained)],
    ok ? 'ok' : 'FAIL',
  ]);
  const failed = rows.filter((row) => !row.ok).length;
  return (
    renderTable(['tensor', 'measure', 'error', 'bound', 'chained', ''], lines, 2) +
    `\n${rows.length - failed} of ${rows.length} within their bounds\n`
  );
}

export const parityCommand = defineCommand({
  command: 'parity <dir>',
  describe: 'Compare with stored outputs and gradients of the reference implementation',
  examples: [
    ['$0 parity fixtures/s16_rope_stablemax', 'every tensor with its error and bound; exit 1 when one exceeds it'],
  ],
  options: (parser) =>
    deviceOption(parser).positional('dir', {
      type: 'string',
      demandOption: true,
      describe: 'folder with ref.safetensors and ref.json',
    }),
  run: ({ dir, device }) => {
    const rows = parity(dir, device);
    process.stdout.write(renderParity(rows));
    return rows.every((row) => row.ok) ? EXIT_OK : EXIT_FAILURE;
  },
});
