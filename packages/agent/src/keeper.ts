/**
 * Keeper: this peer's credentials on its disk, and which root key its node may announce.
 *
 * An announcement must survive a crash: the cluster relies on a node that announces a certificate of the next root
 * key. So the node announces a key only after its certificate is written, and writes run one after the other.
 */
import { base64, rethrowInvariant } from "@gam/core";
import type { HostCipher } from "@gam/files";
import { type Credentials, newestRoot, saveCredentials } from "@gam/mesh";
import { diskFailed } from "./disk/disk-failed.ts";

export interface KeeperOptions {
  readonly dataDir: string;
  readonly cipher: HostCipher;
  /** Credentials that are already on disk. */
  readonly written: Credentials | undefined;
  /** Called and awaited before a certificate of another root key is written. */
  readonly onTurn: () => Promise<void>;
  /** Called after `root` has changed. */
  readonly onRoot: () => void;
  readonly fail: (thrown: unknown) => void;
}

export class Keeper {
  readonly #options: KeeperOptions;
  #written: Credentials | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#written = options.written;
  }

  /** The newest root key that has signed a certificate on disk, base64. */
  get root(): string | undefined {
    return this.#written && base64(newestRoot(this.#written));
  }

  /** Writes changed credentials. Does nothing before enter(): the host is no member yet. */
  async keep(credentials: Credentials): Promise<void> {
    if (this.#written === undefined) return;
    await this.enter(credentials);
  }

  /** Writes the credentials of a new member. */
  async enter(credentials: Credentials): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write(credentials)).catch(this.#options.fail);
    await this.#writing;
  }

  /** Resolves when all writes are done. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  async #write(credentials: Credentials): Promise<void> {
    const { dataDir, cipher, onTurn, onRoot } = this.#options;
    const before = this.root;
    const after = base64(newestRoot(credentials));
    if (before !== undefined && after !== before) await onTurn();
    try {
      await saveCredentials(dataDir, credentials, cipher);
    } catch (thrown) {
      rethrowInvariant(thrown);
      throw diskFailed(dataDir, thrown);
    }
    this.#written = credentials;
    if (after !== before) onRoot();
  }
}
