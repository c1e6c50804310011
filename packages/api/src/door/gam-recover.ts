import type { RecoverReport } from "@gam/state/answers";

/** What the call needs of the agent. Only asked while active. */
export interface RecoverDoor {
  /** Changes nothing. Bounded; never rejects. */
  recoverReport(): Promise<RecoverReport>;
  /**
   * Goes on alone, in a new life of the cluster. Resolves when this peer leads it.
   * Errors: REFUSED; NO_LEADER when it does not come to lead.
   */
  recover(force: boolean): Promise<void>;
}
