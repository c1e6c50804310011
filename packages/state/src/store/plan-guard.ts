/**
 * Plan guard: keeps one object from stopping the plans of all others.
 *
 * A plan looks at objects one by one. One over which it throws, in whatever state that may be, is left out and
 * named; so is one that the caller wants to be left alone for a while.
 */
export interface PlanGuard {
  /** Whether the object with this id is left alone now. */
  readonly skips: (id: string) => boolean;
  /** The plan threw at the object with this id. */
  readonly failed: (id: string, thrown: unknown) => void;
}

/** For tests, which want to see what is thrown. */
export const noGuard: PlanGuard = {
  skips: () => false,
  failed: (_, thrown) => {
    throw thrown;
  },
};

/** What `look` returns; `otherwise` where the object is left alone or the plan threw at it. */
export function guarded<T>(guard: PlanGuard, id: string, look: () => T, otherwise: T): T {
  if (guard.skips(id)) return otherwise;
  try {
    return look();
  } catch (thrown) {
    // Catches all: one object in the state must not end every agent that plans for it.
    guard.failed(id, thrown);
    return otherwise;
  }
}
