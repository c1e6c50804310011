/**
 * Backup stores: the store of a backup's place: a folder of this host, a folder of another one, or a bucket.
 *
 * Decides which host a name in a place means, and who opens a secret: a manager itself, a worker through a manager.
 */
import type { Duplex, Readable } from "node:stream";
import {
  decode,
  encode,
  GamError,
  type NodeId,
  rethrowInvariant,
  type SecretId,
  type VolumeName,
} from "@gam/core";
import type { Mesh } from "@gam/mesh";
import { BackupFolder, type StoreOptions } from "@gam/runtime";
import { type BackupPlace, type Node, readBackupPlace, type Secret, type View } from "@gam/state";
import { type BackupManifest, checkBackupManifest } from "@gam/state/answers";
import { type BackupQuestion, backupSecret, type SecretQuestion } from "./backup-question.ts";
import { sendFramed, shortAnswer, unframed } from "./frames.ts";
import { openBackupStream } from "./open-backup-stream.ts";
import { readS3Credentials, S3Store } from "./s3-store.ts";
import { SentCounter } from "./sent-counter.ts";

const secretMsMax = 5_000;
const askedMax = 5;

export interface BackupStoresParts {
  readonly self: NodeId;
  readonly mesh: Pick<Mesh, "stream" | "request" | "sender">;
  readonly view: () => View;
  /** Errors: NOT_SUPPORTED on a worker. */
  readonly openSecret: (secret: Secret, version: number) => Uint8Array;
}

/** What holds backups. Methods: as those of BackupFolder. */
export interface BackupStore {
  write(file: string, from: Readable, options: StoreOptions): Promise<BackupManifest>;
  remove(file: string): Promise<void>;
}

export interface BackupSource {
  manifest(file: string): Promise<BackupManifest>;
  read(file: string): Promise<Readable>;
}

/** The backup that is being made: hosts look it up in their state. */
export interface Errand {
  readonly volume: VolumeName;
  readonly backup: string;
}

interface Wish {
  readonly to: string;
  readonly secret: SecretId | undefined;
}

export class BackupStores {
  readonly #parts: BackupStoresParts;

  constructor(parts: BackupStoresParts) {
    this.#parts = parts;
  }

  /** Where this host puts the backup. Errors: NOT_FOUND for an unknown host or secret; BAD_REQUEST; UNREACHABLE. */
  async target({ to, secret }: Wish, errand: Errand): Promise<BackupStore> {
    const place = this.#place(to);
    if (place.kind === "s3") {
      return this.#bucket(place, await this.#secretOf(to, secret, errand));
    }
    const host = this.#hostOf(place, this.#parts.self);
    if (host === this.#parts.self) return new BackupFolder(place.folder);
    return this.#remoteTarget(host, errand);
  }

  /** From where a manager reads a backup. `maker`: the host that a bare folder is of. Errors: as target(). */
  async source({ to, secret }: Wish, maker: NodeId): Promise<BackupSource> {
    const place = this.#place(to);
    if (place.kind === "s3")
      return this.#bucket(place, await this.#secretOf(to, secret, undefined));
    const host = this.#hostOf(place, maker);
    if (host !== this.#parts.self) return this.#remoteSource(host, place.folder);
    const folder = new BackupFolder(place.folder);
    return {
      manifest: (file) => folder.manifest(file),
      read: async (file) => folder.read(file),
    };
  }

  /** Returns: whether the place is a folder of this host, and which. */
  ownFolder(to: string, maker: NodeId): string | undefined {
    const place = readBackupPlace(to);
    if (place?.kind !== "folder") return undefined;
    return this.#hostOf(place, maker) === this.#parts.self ? place.folder : undefined;
  }

  #place(to: string): BackupPlace {
    const place = readBackupPlace(to);
    if (place !== undefined) return place;
    const remedy = "use /folder, host:/folder or s3://bucket/folder";
    throw new GamError("BAD_REQUEST", `Cannot use "${to}" as the place of a backup: ${remedy}`);
  }

  #hostOf({ host }: Extract<BackupPlace, { kind: "folder" }>, maker: NodeId): NodeId {
    if (host === undefined) return maker;
    const nodes = this.#parts.view().nodes();
    const named = nodes.filter(
      ({ ID, Description }) => ID === host || Description.Hostname === host,
    );
    const [node] = named;
    if (node === undefined) {
      throw new GamError(
        "NOT_FOUND",
        `Cannot reach the place of a backup: no host is called "${host}"`,
      );
    }
    if (named.length === 1) return node.ID;
    const found = `${named.length} hosts are called "${host}": use the node's id`;
    throw new GamError("BAD_REQUEST", `Cannot reach the place of a backup: ${found}`);
  }

  #bucket(
    { bucket, prefix }: Extract<BackupPlace, { kind: "s3" }>,
    { text, name }: { readonly text: string; readonly name: string },
  ): S3Store {
    return new S3Store({ bucket, prefix, credentials: readS3Credentials(text, name) });
  }

  async #secretOf(
    to: string,
    id: SecretId | undefined,
    errand: Errand | undefined,
  ): Promise<{ readonly text: string; readonly name: string }> {
    const { view, openSecret } = this.#parts;
    const secret = id === undefined ? undefined : view().secret(id);
    if (secret === undefined) {
      const remedy =
        'name an existing secret with its credentials, by the label "gam.backup.secret" or by --secret';
      throw new GamError("NOT_FOUND", `Cannot use ${to}: ${remedy}`);
    }
    const name = secret.Spec.Name;
    try {
      return { name, text: Buffer.from(openSecret(secret, secret.Gam.current)).toString() };
    } catch (thrown) {
      const isWorkers = thrown instanceof GamError && thrown.code === "NOT_SUPPORTED";
      if (!isWorkers || errand === undefined) throw thrown;
      return { name, text: await this.#askedSecret(secret, errand) };
    }
  }

  async #askedSecret({ ID, Spec }: Secret, errand: Errand): Promise<string> {
    const { mesh, view } = this.#parts;
    let last: unknown;
    for (const manager of this.#managers()) {
      const question: SecretQuestion = { ...errand, secret: ID, asOf: view().index };
      try {
        const body = encode(question);
        const asked = { name: backupSecret, body, timeoutMs: secretMsMax };
        const answer = decode(await mesh.request(manager.ID, asked));
        if (answer instanceof Uint8Array) return Buffer.from(answer).toString();
      } catch (thrown) {
        rethrowInvariant(thrown);
        last = thrown;
      }
    }
    const message = `Cannot get secret "${Spec.Name}": no manager gives it`;
    throw new GamError("UNREACHABLE", message, { cause: last });
  }

  #managers(): readonly Node[] {
    const { self, mesh, view } = this.#parts;
    return view()
      .nodes()
      .filter(({ ID, Spec }) => ID !== self && Spec.Role === "manager")
      .filter(({ ID }) => mesh.sender(ID) !== undefined)
      .slice(0, askedMax);
  }

  #remoteTarget(host: NodeId, errand: Errand): BackupStore {
    const ask = async (wants: "store" | "drop", file: string) => {
      return await this.#ask(host, { wants, ...errand, file, asOf: this.#parts.view().index });
    };
    return {
      write: async (file, from, { manifest, signal }) => {
        const stream = await ask("store", file);
        const stop = (): void =>
          void stream.destroy(new GamError("REFUSED", "the backup was given up"));
        signal.addEventListener("abort", stop, { once: true });
        try {
          const counter = new SentCounter();
          let said: BackupManifest | undefined;
          const last = (): BackupManifest => {
            said = manifest(counter.found());
            return said;
          };
          await sendFramed(counter.through(from), stream, last);
          await shortAnswer(stream);
          return checkBackupManifest(said, "manifest");
        } catch (thrown) {
          stream.destroy(thrown instanceof Error ? thrown : undefined);
          from.destroy();
          throw thrown;
        } finally {
          signal.removeEventListener("abort", stop);
        }
      },
      remove: async (file) => {
        const stream = await ask("drop", file);
        stream.end();
        await shortAnswer(stream);
      },
    };
  }

  #remoteSource(host: NodeId, folder: string): BackupSource {
    return {
      manifest: async (file) => {
        const stream = await this.#ask(host, { wants: "manifest", folder, file });
        stream.end();
        return checkBackupManifest(await shortAnswer(stream), "manifest");
      },
      read: async (file) => {
        const stream = await this.#ask(host, { wants: "fetch", folder, file });
        stream.end();
        const { pieces } = unframed(stream);
        pieces.once("close", () => stream.destroy());
        return pieces;
      },
    };
  }

  async #ask(host: NodeId, question: BackupQuestion): Promise<Duplex> {
    return await openBackupStream(this.#parts, host, question);
  }
}
