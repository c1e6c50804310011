/** A bug in this program, never a failure from outside. Nobody catches it. */
export class BrokenInvariant extends Error {
  override readonly name = "BrokenInvariant";
}

/** Checks a promise of this program itself, never a value from outside. */
export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition) throw new BrokenInvariant(invariant);
}

/**
 * Throws a broken invariant again; for a catch that cannot name its errors. All others are failures from
 * outside, which the caller handles.
 */
export function rethrowInvariant(thrown: unknown): void {
  if (thrown instanceof BrokenInvariant) throw thrown;
}

/** For the last branch over a union: the compiler refuses it while a member has no branch. */
export function unreachable(value: never): never {
  throw new BrokenInvariant(`unexpected ${JSON.stringify(value)}`);
}
