import { createHash } from 'node:crypto';
import { type Philox, streamOf } from '../philox';
import { pairKey, type ArcPair } from './grid';
import type { ArcTask } from './task';
import { ArcTransform, imageOf } from './transform';

/** Philox stream of the augmentations of a task; its index is the task's position. */
const AUGMENT_STREAM = 2049;
/** Draws for each augmentation that is wanted (official: 5000 for 1000); a task with few distinct ones gets fewer. */
const DRAWS_PER_AUGMENTATION = 5;

/** The image of a pair. */
export function transformPair({ input, output }: ArcPair, transform: ArcTransform): ArcPair {
  return { input: imageOf(input, transform), output: output === null ? null : imageOf(output, transform) };
}

/** A hash that tasks share when their pairs are equal in any order. */
function contentHash(pairs: readonly ArcPair[]): string {
  const keys = pairs.map(pairKey).sort();
  return createHash('sha256').update(keys.join('|'), 'latin1').digest('base64');
}

/**
 * Draws up to `count` augmentations of a task that make it look different from itself and from each other (HRM section 6),
 * as a function of the seed and the task's position alone.
 * @returns codes of {@link ArcTransform}
 */
export function drawAugmentations(task: ArcTask, position: number, count: number, rng: Philox): Float64Array {
  rng.seek(streamOf(AUGMENT_STREAM, position));
  const pairs = [...task.train, ...task.test];
  const seen = new Set([contentHash(pairs)]);
  const codes: number[] = [];
  for (let draw = 0; draw < DRAWS_PER_AUGMENTATION * count && codes.length < count; draw++) {
    const transform = ArcTransform.random(rng);
    const hash = contentHash(pairs.map((pair) => transformPair(pair, transform)));
    if (seen.has(hash)) continue;
    seen.add(hash);
    codes.push(transform.code);
  }
  return Float64Array.from(codes);
}
