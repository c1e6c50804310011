/** A bug in this program, never a condition of the world. Nobody catches it. */
export class BrokenInvariant extends Error {
  override readonly name = "BrokenInvariant";
}

/** States what this program itself promises; never what came from outside. */
export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition) throw new BrokenInvariant(invariant);
}

/** For the last branch of a union: the compiler refuses it while a member is forgotten. */
export function unreachable(value: never): never {
  throw new BrokenInvariant(`unexpected ${JSON.stringify(value)}`);
}
