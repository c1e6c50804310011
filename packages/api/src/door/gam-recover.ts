import type { RecoverReport } from "@gam/state/answers";

/** The part of the door that "gam recover" uses. Called only while active. */
export interface RecoverDoor {
  /** Returns: what a recovery would do. Changes nothing. Takes bounded time; never rejects. */
  recoverReport(): Promise<RecoverReport>;
  /**
   * Continues alone, in a new life of the cluster. Resolves when this peer leads it.
   * Errors: REFUSED; NO_LEADER when this peer does not become the leader.
   */
  recover(force: boolean): Promise<void>;
}
