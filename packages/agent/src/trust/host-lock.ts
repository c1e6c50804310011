/**
 * Host lock: keeps the key of this host sealed as the cluster demands (autolock).
 *
 * The state says whether managers are locked, and with which unlock key. A worker is never locked.
 */
import type { HostKey } from "../disk/host-key.ts";
import type { ClusterKeys } from "./cluster-keys.ts";

export interface HostLockParts {
  readonly hostKey: Pick<HostKey, "sealWith">;
  readonly keys: Pick<ClusterKeys, "ownLock">;
  /** Ends the agent. */
  readonly fail: (thrown: unknown) => void;
}

export class HostLock {
  readonly #parts: HostLockParts;
  #writing: Promise<void> = Promise.resolve();

  constructor(parts: HostLockParts) {
    this.#parts = parts;
  }

  /** Call it when the cluster, this node or the credentials have changed. */
  follow(): void {
    const { hostKey, keys, fail } = this.#parts;
    const lock = keys.ownLock();
    if (lock === "unknown") return;
    this.#writing = this.#writing
      .then(() => hostKey.sealWith(lock === "none" ? undefined : lock))
      .catch(fail);
  }

  /** Resolves when the disk has what follow() wanted so far. */
  async settled(): Promise<void> {
    await this.#writing;
  }
}
