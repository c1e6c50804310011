/** A bug in this program, never a condition of the world. Nobody catches it. */
export class BrokenInvariant extends Error {
  override readonly name = "BrokenInvariant";
}

/** States what this program itself promises; never what came from outside. */
export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition) throw new BrokenInvariant(invariant);
}

/**
 * For a catch whose try cannot name its errors: throws a broken invariant again. Everything else is a
 * condition of the world, which the caller deals with.
 */
export function rethrowInvariant(thrown: unknown): void {
  if (thrown instanceof BrokenInvariant) throw thrown;
}

/** For the last branch of a union: the compiler refuses it while a member is forgotten. */
export function unreachable(value: never): never {
  throw new BrokenInvariant(`unexpected ${JSON.stringify(value)}`);
}
