import { memory, type Device } from '../../ts';
import { collectGarbage } from '../../ts/native/boundary';

/**
 * The memory of tensors that somebody still holds. What earlier tests left, in other files too, is collected first: what the
 * collector takes between two readings would count against what lies between them.
 */
export function heldMemory(device?: Device): ReturnType<typeof memory> {
  collectGarbage();
  return memory(device);
}
