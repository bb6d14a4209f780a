import { describe, expect, it } from '@jest/globals';
import { Generator, Hrm, memory, modelConfig } from '../../ts/index';
import { heldMemory } from '../support/memory';

const side = 3;
const settings = { hidden: 8, nHeads: 2, hLayers: 1, lLayers: 1, mlpT: true, posEncodings: 'none' } as const;
const sizes = { seqLen: side * side, vocabSize: 6, expansion: 4 };

function weightsOf(mixerInit: 'normal' | 'grid'): { gateUp: number[][]; down: number[][] } {
  const model = new Hrm(modelConfig({ ...settings, ...sizes, mixerInit }), new Generator(5));
  const state = new Map(model.stateDict());
  const rows = (name: string): number[][] => {
    const weight = state.get(name)!;
    const values = Array.from(weight.dataSync() as Float32Array);
    const [n, width] = weight.shape as [number, number];
    return Array.from({ length: n }, (_, i) => values.slice(i * width, (i + 1) * width));
  };
  return {
    gateUp: rows('L_level.layers.0.mlp_t.gate_up_proj.weight'),
    down: rows('L_level.layers.0.mlp_t.down_proj.weight'),
  };
}

describe("mixerInit 'grid'", () => {
  it('adds a message from each neighbour to each cell to a fifth of the drawn weights', () => {
    const [drawn, grid] = [weightsOf('normal'), weightsOf('grid')];
    const added = (name: 'gateUp' | 'down', row: number, column: number): number =>
      Math.round(1e4 * (grid[name][row]![column]! - 0.2 * drawn[name][row]![column]!)) / 1e4;
    const [inner, tokens] = [grid.gateUp.length / 2, grid.down.length];
    expect(tokens).toBe(side * side + 1);
    const messages: string[] = [];
    for (let unit = 0; unit < inner; unit++) {
      const ones = (row: (token: number) => number): number[] =>
        Array.from({ length: tokens }, (_, token) => token).filter((token) => {
          const value = row(token);
          expect([0, 1]).toContain(value);
          return value === 1;
        });
      const gate = ones((token) => added('gateUp', unit, token));
      const up = ones((token) => added('gateUp', inner + unit, token));
      expect(ones((token) => added('down', token, unit))).toEqual(gate);
      if (gate.length > 0) messages.push(`${gate.join()} from ${up.join()}`);
    }
    const expected: string[] = [];
    for (let to = 0; to < side * side; to++)
      for (let from = 0; from < side * side; from++) {
        const rows = Math.abs(Math.floor(to / side) - Math.floor(from / side));
        // Token 0 is the puzzle's embedding.
        if (rows + Math.abs((to % side) - (from % side)) <= 1) expected.push(`${to + 1} from ${from + 1}`);
      }
    expect(messages.sort()).toEqual(expected.sort());
  });

  it('leaves no tensor behind', () => {
    const fields = modelConfig({ ...settings, ...sizes, mixerInit: 'normal' });
    const tensorsOf = (config: typeof fields): number => {
      const before = heldMemory().tensors;
      const model = new Hrm(config, new Generator(5));
      const made = memory().tensors - before;
      model.dispose();
      return made;
    };
    expect(tensorsOf({ ...fields, mixerInit: 'grid' })).toBe(tensorsOf(fields));
  });

  it.each([
    [{ mlpT: false }, /mixerInit "grid" is for mlpT/],
    [{ seqLen: 8 }, /square grids, got seqLen 8/],
    [{ seqLen: 400 }, /needs 1920 inner units over the sequence for a 20 x 20 grid, got 1280; raise expansion/],
    [{ seqLen: 400, expansion: 9, seqExpansion: 4 }, /got 1280; raise seqExpansion/],
    [
      { mixerInit: 'normal' as const, seqExpansion: 0.04 },
      /seqExpansion must give at least one inner unit over an axis of 10/,
    ],
    [
      { mixerInit: 'normal' as const, expansion: 1e-300 },
      /expansion must give at least one inner unit over an axis of 8/,
    ],
    [{ mixerInit: 'normal' as const, mlpT: false, seqExpansion: 4 }, /seqExpansion is for mlpT/],
  ])('refuses %j', (fields, message) => {
    expect(() => modelConfig({ ...settings, ...sizes, mixerInit: 'grid', ...fields })).toThrow(message);
  });
});
