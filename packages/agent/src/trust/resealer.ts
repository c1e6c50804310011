/**
 * Resealer: seals the state's secrets anew after a rotation of the root key, on the leader's host.
 *
 * Decides what is sealed with an older key than the newest one, when to seal it anew, and which keys nothing needs any
 * more. It begins when the rotation is over: then every manager can open the newest key. A leader that stops in the
 * middle leaves the rest to the next one, since what is left to do follows from the state.
 */
import { GamError } from "@gam/core";
import { type AskedChange, newestKey, type Service, usedKeys, type View } from "@gam/state";
import type { Sealer } from "./sealer.ts";

/** Also finds work that no event announced: this peer has become the leader. */
const lookMs = 10_000;
/** Contents in one log entry: three of the largest fit. */
const batchBytesMax = 1_500_000;

export interface ResealerParts {
  readonly sealer: Pick<
    Sealer,
    "openSecret" | "sealSecret" | "openCredentialsOf" | "sealCredentials"
  >;
  readonly view: () => View;
  readonly leads: () => boolean;
  /** Errors: as ClusterMember.propose(). */
  readonly propose: (changes: readonly AskedChange[]) => Promise<unknown>;
  readonly log: { readonly warn: (fields: object, text: string) => void };
}

export class Resealer {
  readonly #parts: ResealerParts;
  readonly #timer: NodeJS.Timeout;
  /** What was found that does not open, as sentences. */
  readonly #closed = new Set<string>();
  #working: Promise<void> | undefined;
  #stopped = false;

  constructor(parts: ResealerParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => this.notice(), lookMs);
    this.#timer.unref();
  }

  /** The cluster has changed: there may be a new key. */
  notice(): void {
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
    });
  }

  /** Resolves when there is nothing left to do for now. */
  async settled(): Promise<void> {
    await this.#working;
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
  }

  async #work(): Promise<void> {
    const { log } = this.#parts;
    this.#closed.clear();
    try {
      for (;;) {
        if (this.#stopped || !this.#parts.leads()) return;
        const changes = this.#next();
        if (changes.length === 0) break;
        await this.#parts.propose(changes);
      }
      for (const reason of this.#closed) log.warn({ reason }, "Could not seal a secret anew");
    } catch (thrown) {
      if (!(thrown instanceof GamError)) throw thrown;
      // Tried again at the next look. Until then everything can be opened as before.
      if (this.#stopped || thrown.code === "NO_LEADER" || thrown.code === "NOT_MEMBER") return;
      log.warn({ reason: thrown.message }, "Could not seal secrets anew");
    }
  }

  /** Returns: the next batch; empty when all is done. */
  #next(): readonly AskedChange[] {
    const view = this.#parts.view();
    const newest = newestKey(view);
    if (view.cluster === undefined || newest === undefined) return [];
    if (view.cluster.NextRoot !== undefined) return [];
    const batch: AskedChange[] = [];
    let bytes = 0;
    for (const { change, size } of this.#stale(view, newest)) {
      if (bytes > 0 && bytes + size > batchBytesMax) return batch;
      batch.push(change);
      bytes += size;
    }
    if (batch.length > 0) return batch;
    const used = usedKeys(view);
    return view.cluster.SealingKeys.filter(({ ID }) => !used.has(ID)).map(({ ID }) => {
      return { kind: "dropSealingKey", id: ID };
    });
  }

  /** Seals only what is asked for. Errors: as Sealer.openSecret(). */
  *#stale(view: View, newest: string): Generator<{ change: AskedChange; size: number }> {
    const { sealer } = this.#parts;
    for (const secret of view.secrets()) {
      for (const { version, key: from } of secret.Gam.contents) {
        if (from === newest) continue;
        const plain = this.#opened(() => sealer.openSecret(secret, version));
        if (plain === undefined) continue;
        const to = sealer.sealSecret(secret.ID, version, plain);
        const change = { kind: "resealSecret", id: secret.ID, version, from, to } as const;
        yield { change, size: to.sealed.length };
      }
    }
    for (const service of view.services()) {
      for (const which of ["spec", "previous-spec"] as const) {
        const change = this.#credentials(service, which, newest);
        if (change !== undefined) yield { change, size: change.to.sealed.length };
      }
    }
  }

  #credentials(
    service: Service,
    which: "spec" | "previous-spec",
    newest: string,
  ): Extract<AskedChange, { kind: "resealCredentials" }> | undefined {
    const { sealer } = this.#parts;
    const { registryAuth, registryAuthPrevious } = service.Gam;
    const sealed = which === "spec" ? registryAuth : registryAuthPrevious;
    if (sealed === undefined || sealed.key === newest) return undefined;
    const plain = this.#opened(() => sealer.openCredentialsOf(service, sealed));
    if (plain === undefined) return undefined;
    const to = sealer.sealCredentials(service.ID, plain);
    const basedOn = service.Version.Index;
    return { kind: "resealCredentials", id: service.ID, which, from: sealed.key, to, basedOn };
  }

  /** Returns: undefined for what was changed after it was sealed: everything else must not wait for it. */
  #opened<Plain>(open: () => Plain): Plain | undefined {
    try {
      return open();
    } catch (thrown) {
      if (!(thrown instanceof GamError) || thrown.code !== "REFUSED") throw thrown;
      this.#closed.add(thrown.message);
      return undefined;
    }
  }
}
