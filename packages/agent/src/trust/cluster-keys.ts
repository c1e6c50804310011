/**
 * Cluster keys: the root keys and join tokens of the cluster, for this member to show, replace and follow.
 *
 * Decides what it proposes and shows. Does not decide when the root key is replaced: the mesh does, once every node
 * has a certificate of the next one.
 */
import { base64, fromBase64, GamError, type NodeId } from "@gam/core";
import {
  type Credentials,
  fingerprintOf,
  formatToken,
  formatUnlockKey,
  type Mesh,
  type Role,
  type Roots,
  signRootCertificate,
} from "@gam/mesh";
import type { AskedChange, JoinToken, SealedForRoots, View } from "@gam/state";
import { makeToken, makeTokens, secretOf } from "./join-tokens.ts";
import { newestRootOf } from "./root-seals.ts";
import { keysForNextRoot } from "./sealing-keys.ts";
import { newUnlockKey, resealedUnlockKey, unlockKeyIn } from "./unlock-keys.ts";

export interface ClusterKeysParts {
  readonly mesh: Pick<Mesh, "credentials" | "addresses" | "offerNextRoot">;
  readonly self: NodeId;
  readonly view: () => View;
  readonly mint: () => string;
  /** Errors: as ClusterMember.propose(). */
  readonly propose: (changes: readonly AskedChange[]) => Promise<unknown>;
}

export class ClusterKeys {
  readonly #parts: ClusterKeysParts;
  #isFresh = false;

  constructor(parts: ClusterKeysParts) {
    this.#parts = parts;
  }

  /** The log has reached this peer. Before that its state may have root keys that were replaced since. */
  fresh(): void {
    this.#isFresh = true;
  }

  /** As MeshDoor.roots. */
  roots(): Roots | undefined {
    const view = this.#parts.view();
    const { cluster } = view;
    if (cluster === undefined || !this.#isFresh) return undefined;
    const { NextRoot } = cluster;
    const current = fromBase64(cluster.RootPublicKey);
    if (NextRoot === undefined) return { current };
    const holders = view.nodes().filter(({ Gam }) => Gam.root === NextRoot.PublicKey);
    return {
      current,
      next: {
        rootPublicKey: fromBase64(NextRoot.PublicKey),
        signature: fromBase64(NextRoot.Signature),
        holders: new Set(holders.map(({ ID }) => ID)),
      },
    };
  }

  /**
   * Starts to replace the root key, in one write with `changes`. The mesh replaces it once every node has a
   * certificate of the new one.
   *
   * Errors: NOT_SUPPORTED on a worker; as keysForNextRoot(); those of propose().
   */
  async rotateRoot(changes: readonly AskedChange[]): Promise<void> {
    const { mesh, propose, view, mint } = this.#parts;
    // With the next root key of a rotation that this one gives up: some sealing keys may open with that one only.
    const before = this.#credentials();
    await mesh.offerNextRoot(async ({ rootPublicKey, rootPrivateKey, signature }, replaced) => {
      const next = {
        PublicKey: base64(rootPublicKey),
        Signature: base64(signature),
        ...(rootPrivateKey && { SelfSignature: base64(signRootCertificate(rootPrivateKey)) }),
      };
      const credentials = this.#credentials();
      const tokens = makeTokens(credentials);
      const keys = keysForNextRoot(view(), {
        id: mint(),
        credentials: before,
        next: newestRootOf(credentials),
      });
      const root = base64(replaced);
      const sealed = this.#unlockKeyAfter(changes);
      const unlockKey = sealed && resealedUnlockKey(credentials, sealed);
      await propose([...changes, { kind: "rotateRoot", root, next, tokens, keys, unlockKey }]);
    });
  }

  /** The sealed unlock key that the cluster has after these changes. */
  #unlockKeyAfter(changes: readonly AskedChange[]): SealedForRoots | undefined {
    const before = this.#parts.view().cluster?.UnlockKey;
    const update = changes.find((change) => change.kind === "updateCluster");
    if (update === undefined) return before;
    return update.spec.EncryptionConfig.AutoLockManagers ? (update.unlockKey ?? before) : undefined;
  }

  /** Returns: a new unlock key for an updateCluster. Errors: as sealedForRoots(). */
  newUnlockKey(): SealedForRoots {
    return newUnlockKey(this.#ownRoots());
  }

  /**
   * Returns: the unlock key as people write it; "" while managers are not locked.
   *
   * Errors: NOT_SUPPORTED on a worker; NO_LEADER before this host has the root key that opens it.
   */
  unlockKey(): string {
    const sealed = this.#parts.view().cluster?.UnlockKey;
    if (sealed === undefined) return "";
    const key = unlockKeyIn(this.#credentials(), sealed);
    if (key !== undefined) return formatUnlockKey(key);
    throw new GamError(
      "NO_LEADER",
      "Cannot show the unlock key: this host does not have the root key yet. Try again in a few seconds",
    );
  }

  /**
   * Returns: with which unlock key this host must seal its own key, as far as that can be known: "unknown" while the
   * state may be old, or while the root key that opens the unlock key has not arrived.
   */
  ownLock(): Uint8Array | "none" | "unknown" {
    const { mesh, self, view } = this.#parts;
    const { cluster } = view();
    const node = view().node(self);
    if (!this.#isFresh || cluster === undefined || node === undefined) return "unknown";
    if (cluster.UnlockKey === undefined) return "none";
    const { credentials } = mesh;
    if (credentials === undefined) return "unknown";
    if (credentials.rootPrivateKey === undefined) {
      return node.Spec.Role === "worker" ? "none" : "unknown";
    }
    // Also on a host that was demoted and still has the root key on its disk.
    return unlockKeyIn(credentials, cluster.UnlockKey) ?? "unknown";
  }

  /** Makes new tokens of these roles, in one write with `changes`. Errors: as makeToken(); those of propose(). */
  async rotateTokens(roles: readonly Role[], changes: readonly AskedChange[]): Promise<void> {
    const credentials = this.#ownRoots();
    const made = (role: Role): JoinToken | undefined =>
      roles.includes(role) ? makeToken(role, credentials) : undefined;
    const [worker, manager] = [made("worker"), made("manager")];
    await this.#parts.propose([...changes, { kind: "rotateTokens", worker, manager }]);
  }

  /** Errors: as secretOf(); NO_LEADER before the state has arrived. */
  tokens(): { readonly worker: string; readonly manager: string } {
    const { mesh, self } = this.#parts;
    const view = this.#parts.view();
    const credentials = this.#credentials();
    if (view.cluster === undefined) {
      throw new GamError("NO_LEADER", "Cannot show tokens: the state has not arrived yet");
    }
    const fingerprint = fingerprintOf(credentials.rootPublicKey);
    const others = view
      .nodes()
      .filter(({ ID, Status }) => ID !== self && Status.State === "ready")
      .flatMap(({ Gam }) => Gam.addresses.slice(0, 1));
    const addresses = [...mesh.addresses().slice(0, 1), ...others];
    const token = (role: Role, kept: JoinToken): string =>
      formatToken({ fingerprint, secret: secretOf(role, kept, credentials), addresses });
    const { Worker, Manager } = view.cluster.Tokens;
    return { worker: token("worker", Worker), manager: token("manager", Manager) };
  }

  /** This host's credentials without a next root key that it has offered in vain: the state has none, or another. */
  #ownRoots(): Credentials {
    const credentials = this.#credentials();
    const { cluster } = this.#parts.view();
    const { next, ...rest } = credentials;
    const offered = next && base64(next.rootPublicKey);
    const isKnown = offered === cluster?.NextRoot?.PublicKey || offered === cluster?.RootPublicKey;
    return isKnown ? credentials : rest;
  }

  #credentials(): Credentials {
    const { credentials } = this.#parts.mesh;
    if (credentials === undefined) throw new GamError("NOT_MEMBER", "Cannot do that: not a member");
    return credentials;
  }
}
