/**
 * Plan guard: keeps one object from stopping the plans of all others.
 *
 * A plan looks at objects one by one. If it throws on an object, for whatever reason, that object is left out
 * and named. So is an object that the caller wants left alone for a while.
 */
export interface PlanGuard {
  /** Whether to leave the object with this id alone now. */
  readonly skips: (id: string) => boolean;
  /** The plan threw on the object with this id. */
  readonly failed: (id: string, thrown: unknown) => void;
}

/** For tests, which must see what is thrown. */
export const noGuard: PlanGuard = {
  skips: () => false,
  failed: (_, thrown) => {
    throw thrown;
  },
};

/** Returns: the result of `look`; `otherwise` where the object is left alone or `look` threw. */
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
