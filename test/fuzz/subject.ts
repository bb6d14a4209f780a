/** One function of the package, how it is called and with what. */
import { type Arb, type Make, value } from './values';

export interface Subject {
  readonly args: readonly Arb[];
  readonly call: (...args: unknown[]) => unknown;
  /** Numbers that are legal and ask for hours of work are left out. */
  readonly bounded?: boolean;
  /** Takes long: one call in a hundred rounds. */
  readonly rare?: boolean;
}
export type Subjects = Readonly<Record<string, Subject>>;

/** A function of the package. */
export function call(fn: unknown, ...args: readonly Arb[]): Subject {
  return { args, call: (...values) => (fn as (...values: unknown[]) => unknown)(...values) };
}
/** A constructor; what it makes is disposed. */
export function construct(type: unknown, ...args: readonly Arb[]): Subject {
  const make = (...values: unknown[]): unknown => {
    const instance: unknown = new (type as new (...values: unknown[]) => unknown)(...values);
    (instance as { dispose?: () => void }).dispose?.();
    return undefined;
  };
  return { args, call: make };
}
/** A method of what `receiver` makes. */
export function method(receiver: Make, name: string, ...args: readonly Arb[]): Subject {
  return {
    args,
    call: (...values) => {
      const instance = receiver() as Record<string, (...values: unknown[]) => unknown>;
      return instance[name]!(...values);
    },
  };
}
export const bounded = (subject: Subject): Subject => ({ ...subject, bounded: true });
export const rare = (subject: Subject): Subject => ({ ...subject, rare: true, bounded: true });
/** A call without arguments; some are passed all the same. */
export const none: Arb = value(undefined);
