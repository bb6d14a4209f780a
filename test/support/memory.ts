import { memory, type Device } from '../../ts';
import { collectGarbage } from '../../ts/native/boundary';

/**
 * Bytes of tensors that somebody still holds. What earlier tests left, in other files too, is collected first: memory
 * that the collector takes between two readings would count against what lies between them.
 */
export function heldBytes(device?: Device): number {
  collectGarbage();
  return memory(device).liveBytes;
}
