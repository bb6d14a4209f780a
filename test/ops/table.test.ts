import { describe, expect, it } from '@jest/globals';
import { opTable } from '../../ts/ops/table';
import { disagreements, opsTable, writtenTable } from '../support/ops_table';

describe('the table of ops', () => {
  it('names every op as its definition does', () => {
    for (const [name, op] of Object.entries(opTable)) expect(op.opName).toBe(name);
  });

  it('agrees with the definitions on gradients', () => {
    expect(disagreements()).toEqual([]);
  });

  it('is docs/ops.md (npm run ops-table)', () => {
    expect(writtenTable().replace(/ +\|/g, ' |').replace(/-+/g, '-')).toBe(
      opsTable().replace(/ +\|/g, ' |').replace(/-+/g, '-'),
    );
  });
});
