import { types } from 'node:util';
import { ArgumentError } from '../../error';
import { describe, requireString } from '../../io/arguments';
import { isInstance, requireInteger } from '../../tensor/arguments';
import { Philox } from '../philox';
import { N_COLOURS, requireArcGrid, type ArcGrid } from './grid';

const N_DIHEDRAL = 8;
/** Undoes a dihedral: a rotation the rotation back, a reflection itself. */
const INVERSE_DIHEDRAL = [0, 3, 2, 1, 4, 5, 6, 7] as const;
/** Above the nine digits that a code has for the colours. */
const CODE_DIHEDRAL = 1e9;
const AUGMENTED_NAME = /^(.+)_t([0-7])_(0[1-9]{9})$/s;

/**
 * An augmentation of ARC (HRM section 6): a colour permutation that fixes black, and a dihedral: 0..7 = identity, 1, 2, 3
 * quarter turns counter-clockwise, left-right flip, upside-down flip, transpose, left-right flip after a quarter turn.
 */
export class ArcTransform {
  readonly #inverse: Uint8Array;

  /**
   * @param dihedral 0..7
   * @param colours new colour of each old one, [10], colours[0] = 0
   * @throws ArgumentError when the parts are no such permutations
   */
  constructor(
    readonly dihedral: number,
    readonly colours: Uint8Array,
  ) {
    requireInteger('ArcTransform', 'dihedral', dihedral, 0, N_DIHEDRAL - 1);
    const valid =
      types.isUint8Array(colours) &&
      colours.length === N_COLOURS &&
      colours[0] === 0 &&
      new Set(colours).size === N_COLOURS &&
      colours.every((colour) => colour < N_COLOURS);
    if (!valid) {
      throw new ArgumentError(`ArcTransform: colours must permute 0..9 and fix 0, got ${describe(colours)}`);
    }
    this.#inverse = new Uint8Array(N_COLOURS);
    for (let colour = 0; colour < N_COLOURS; colour++) this.#inverse[colours[colour]!] = colour;
  }

  static identity(): ArcTransform {
    return new ArcTransform(
      0,
      Uint8Array.from({ length: N_COLOURS }, (_, colour) => colour),
    );
  }

  /** A uniform draw from all 8 x 9! augmentations, the identity included. */
  static random(rng: Philox): ArcTransform {
    if (!isInstance(rng, Philox)) {
      throw new ArgumentError(`ArcTransform.random: rng must be a Philox, got ${describe(rng)}`);
    }
    const dihedral = rng.below(N_DIHEDRAL);
    const colours = new Uint8Array(N_COLOURS);
    rng.permutation(N_COLOURS - 1).forEach((colour, i) => (colours[i + 1] = colour + 1));
    return new ArcTransform(dihedral, colours);
  }

  /** Dihedral and colours as one number, dihedral x 10^9 + the digits of colours 1 to 9. */
  get code(): number {
    return this.dihedral * CODE_DIHEDRAL + Number(this.colours.join(''));
  }

  static ofCode(code: number): ArcTransform {
    requireInteger('ArcTransform.ofCode', 'code', code, 0, N_DIHEDRAL * CODE_DIHEDRAL - 1);
    const digits = String(code % CODE_DIHEDRAL).padStart(N_COLOURS, '0');
    return new ArcTransform(Math.floor(code / CODE_DIHEDRAL), Uint8Array.from(digits, Number));
  }

  /** The image of a grid. */
  apply(grid: ArcGrid): ArcGrid {
    return imageOf(requireArcGrid('ArcTransform.apply', grid), this);
  }

  /** The grid that this augmentation made a grid of. */
  undo(grid: ArcGrid): ArcGrid {
    const checked = requireArcGrid('ArcTransform.undo', grid);
    return changed(checked, INVERSE_DIHEDRAL[this.dihedral]!, this.#inverse);
  }

  /** `<task>_t<dihedral>_<ten digits: digit i = new colour of i>`, the identifier of a task under this augmentation. */
  nameOf(task: string): string {
    return `${requireString('ArcTransform.nameOf', 'task', task)}_t${this.dihedral}_${this.colours.join('')}`;
  }
}

/** Task and augmentation of an identifier; a plain name is the original task. */
export function parseArcName(name: string): { readonly task: string; readonly transform: ArcTransform | null } {
  const [, task, dihedral, digits] = AUGMENTED_NAME.exec(requireString('parseArcName', 'name', name)) ?? [];
  if (task === undefined || new Set(digits).size !== N_COLOURS) return { task: name, transform: null };
  return { task, transform: new ArcTransform(Number(dihedral), Uint8Array.from(digits!, Number)) };
}

/** {@link ArcTransform.apply} for a grid that was checked. */
export function imageOf(grid: ArcGrid, { dihedral, colours }: ArcTransform): ArcGrid {
  return changed(grid, dihedral, colours);
}

/** The image of a grid under a dihedral and a change of colours, in cells of its own. */
function changed({ rows, cols, cells }: ArcGrid, dihedral: number, colours: Uint8Array): ArcGrid {
  const last = rows * cols - 1;
  // Cell (i, j) of the image comes from cell first + i * down + j * right.
  const [first, down, right] = (
    [
      [0, cols, 1],
      [cols - 1, -1, cols],
      [last, -cols, -1],
      [last - cols + 1, 1, -cols],
      [cols - 1, cols, -1],
      [last - cols + 1, -cols, 1],
      [0, 1, cols],
      [last, -1, -cols],
    ] as const
  )[dihedral]!;
  const sideways = dihedral === 1 || dihedral === 3 || dihedral >= 6;
  const [height, width] = sideways ? [cols, rows] : [rows, cols];
  const image = new Uint8Array(cells.length);
  for (let i = 0, to = 0; i < height; i++) {
    for (let j = 0, from = first + i * down; j < width; j++, from += right) image[to++] = colours[cells[from]!]!;
  }
  return { rows: height, cols: width, cells: image };
}
