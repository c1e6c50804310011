/**
 * Keeper: this peer's credentials on its disk, and what its node may say of them.
 *
 * What is said must outlive a crash: the cluster counts on a node that says that it has a certificate of
 * the next root key. So it is said once it is written, and one is written after the other.
 */
import { base64 } from "@gam/core";
import { type Credentials, newestRoot, saveCredentials } from "@gam/mesh";

export interface KeeperOptions {
  readonly dataDir: string;
  /** Those that lie there already. */
  readonly written: Credentials | undefined;
  /** This peer has got a certificate of another root key than before. Awaited before that is written. */
  readonly onTurn: () => Promise<void>;
  /** `root` is another. */
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

  /** The newest root key that a certificate on disk is of, base64. */
  get root(): string | undefined {
    return this.#written && base64(newestRoot(this.#written));
  }

  /** They have changed. Those of a host that is no member yet are not kept: see enter(). */
  async keep(credentials: Credentials): Promise<void> {
    if (this.#written === undefined) return;
    await this.enter(credentials);
  }

  /** This peer is a member with these. */
  async enter(credentials: Credentials): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write(credentials)).catch(this.#options.fail);
    await this.#writing;
  }

  /** Ends when nothing is left to write. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  async #write(credentials: Credentials): Promise<void> {
    const { dataDir, onTurn, onRoot } = this.#options;
    const before = this.root;
    const after = base64(newestRoot(credentials));
    if (before !== undefined && after !== before) await onTurn();
    await saveCredentials(dataDir, credentials);
    this.#written = credentials;
    if (after !== before) onRoot();
  }
}
