/**
 * Backup desk: answers other hosts about backups, and brings the backups and restores that this host's clients ask for on
 * their way.
 *
 * Decides who gets what: managers get backups of volumes and folders of this host, and bring restores. The host that
 * makes a backup may put it into a folder here, and gets the secret for it, if this host's state has that backup.
 */
import type { Duplex, Readable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { decode, encode, GamError, type NodeId, type SecretId, type VolumeName } from "@gam/core";
import type { Mesh } from "@gam/mesh";
import { BackupFolder, type StoredTar } from "@gam/runtime";
import { activeBackups, type Backup, backupFile, type Secret, type View } from "@gam/state";
import { type BackupManifest, checkBackupManifest } from "@gam/state/answers";
import type { BackupMaker, Making } from "./backup-maker.ts";
import {
  type BackupQuestion,
  backupSecret,
  backupStream,
  checkSecretQuestion,
  checkSent,
  checkVolumeLook,
  readBackupQuestion,
  type VolumeLook,
} from "./backup-question.ts";
import type { BackupSource, BackupStores } from "./backup-stores.ts";
import { sendFramed, shortAnswer, unframed } from "./frames.ts";
import { openBackupStream } from "./open-backup-stream.ts";
import type { Restorer } from "./restorer.ts";
import { SentCounter } from "./sent-counter.ts";

const catchUpMsMax = 10_000;
const catchUpLookMs = 50;

export interface BackupDeskParts {
  readonly self: NodeId;
  readonly mesh: Pick<Mesh, "stream" | "handleStream" | "handle" | "refuse">;
  readonly view: () => View;
  readonly maker: BackupMaker;
  readonly stores: BackupStores;
  readonly restorer: Restorer;
  /** Errors: NOT_SUPPORTED on a worker. */
  readonly openSecret: (secret: Secret, version: number) => Uint8Array;
  /** Returns: a new id. */
  readonly mint: () => string;
  /** How long the asked host waits for the state, when it lost the host of a restore. */
  readonly patienceMs?: number;
}

const patienceMsDefault = 5_000;
const lookMs = 50;

/** A restore that a client of this host wants. */
export interface RestoreWish {
  readonly volume: VolumeName;
  readonly node: NodeId;
  /** For people: where the data comes from. */
  readonly source: string;
  /** Absent: the backup has none. */
  readonly manifest?: BackupManifest | undefined;
  readonly tar: Readable;
}

export class BackupDesk {
  readonly #parts: BackupDeskParts;
  readonly #stopped = new AbortController();

  /** Starts to answer other hosts. */
  constructor(parts: BackupDeskParts) {
    this.#parts = parts;
    parts.mesh.handleStream(backupStream, (from, header, stream) =>
      this.#answer(from, header, stream),
    );
    parts.mesh.handle(backupSecret, (from, body) => this.#secret(from, body));
  }

  stop(): void {
    this.#stopped.abort();
  }

  /** Returns: a backup of the node's volume, as it is made. Errors: UNREACHABLE; those of the node, on its `tar`. */
  async take(volume: VolumeName, node: NodeId): Promise<Making> {
    if (node === this.#parts.self) return this.#parts.maker.make(volume);
    const stream = await this.#ask(node, { wants: "give", volume });
    stream.end();
    const { pieces, last } = unframed(stream);
    pieces.once("close", () => stream.destroy());
    return {
      tar: pieces,
      manifest: (found) => agreed(checkBackupManifest(last(), "manifest"), found),
    };
  }

  /** Where a backup can be read that was put to `to`. `maker`: the host that made it. Errors: as BackupStores.source(). */
  async source(
    wish: { readonly to: string; readonly secret: SecretId | undefined },
    maker: NodeId,
  ): Promise<BackupSource> {
    return await this.#parts.stores.source(wish, maker);
  }

  /** Resolves to what a restore would find. Errors: UNREACHABLE; those of the node. */
  async look(volume: VolumeName, node: NodeId): Promise<VolumeLook> {
    if (node === this.#parts.self) return await this.#parts.restorer.look(volume);
    const stream = await this.#ask(node, { wants: "look", volume });
    stream.end();
    return checkVolumeLook(await shortAnswer(stream), "look");
  }

  /** Resolves to the id of the restore, when the node has the backup whole. Errors: as Restorer.stage(). */
  async restore({ volume, node, source, manifest, tar }: RestoreWish): Promise<string> {
    const counter = new SentCounter();
    const through = counter.through(tar);
    const sent = (): StoredTar => agreed(manifest, counter.found());
    const restore = this.#parts.mint();
    const { bytes = 0, labels = {} } = manifest ?? {};
    const about = { volume, restore, source, bytes, labels };
    if (node === this.#parts.self) {
      await this.#parts.restorer.stage({ ...about, tar: through, sent });
      return restore;
    }
    const stream = await this.#ask(node, { wants: "stage", ...about });
    try {
      await sendFramed(through, stream, sent);
      await shortAnswer(stream);
    } catch (thrown) {
      tar.destroy();
      stream.destroy(thrown instanceof Error ? thrown : undefined);
      // Without its answer, only the state knows whether the node had the backup whole.
      if (!isLost(thrown) || !(await this.#isKnown(volume, restore))) throw thrown;
    }
    return restore;
  }

  /** Resolves to whether the state has the restore, or had it. What the node has written may still be on its way. */
  async #isKnown(name: VolumeName, id: string): Promise<boolean> {
    const { view, patienceMs = patienceMsDefault } = this.#parts;
    const untilMs = performance.now() + patienceMs;
    for (;;) {
      const { Restore, LastRestore } = view().volume(name) ?? {};
      if (Restore?.id === id || LastRestore?.id === id) return true;
      if (performance.now() > untilMs) return false;
      await pause(lookMs);
    }
  }

  async #ask(node: NodeId, question: BackupQuestion): Promise<Duplex> {
    return await openBackupStream(this.#parts, node, question);
  }

  async #answer(from: NodeId, header: Uint8Array, stream: Duplex): Promise<void> {
    // The opener learns of an error when the stream is destroyed with it.
    stream.on("error", () => undefined);
    const question = readBackupQuestion(decode(header));
    switch (question.wants) {
      case "give":
        this.#insistOnManager(from);
        return await this.#give(question.volume, stream);
      case "look":
        this.#insistOnManager(from);
        stream.end(encode(await this.#parts.restorer.look(question.volume)));
        return;
      case "stage": {
        this.#insistOnManager(from);
        const { pieces: tar, last } = unframed(stream);
        const sent = (): StoredTar => checkSent(last(), "last word");
        await this.#parts.restorer.stage({ ...question, tar, sent });
        stream.end(encode({}));
        return;
      }
      case "manifest":
      case "fetch":
        this.#insistOnManager(from);
        return await this.#fetch(question, stream);
      case "store":
      case "drop":
        return await this.#keep(from, question, stream);
    }
  }

  async #give(volume: VolumeName, stream: Duplex): Promise<void> {
    const { tar, manifest } = this.#parts.maker.make(volume);
    stream.once("close", () => tar.destroy());
    this.#stopped.signal.addEventListener("abort", () => tar.destroy());
    const counter = new SentCounter();
    await sendFramed(counter.through(tar), stream, () => manifest(counter.found()));
  }

  async #fetch(
    { wants, folder: path, file }: Extract<BackupQuestion, { wants: "manifest" | "fetch" }>,
    stream: Duplex,
  ): Promise<void> {
    const folder = new BackupFolder(path);
    const manifest = await folder.manifest(file);
    if (wants === "manifest") return void stream.end(encode(manifest));
    await sendFramed(folder.read(file), stream, () => ({}));
  }

  async #keep(
    from: NodeId,
    { wants, volume, backup: id, file, asOf }: Extract<BackupQuestion, { wants: "store" | "drop" }>,
    stream: Duplex,
  ): Promise<void> {
    const { view, stores } = this.#parts;
    await this.#caughtUp(asOf);
    const record = view().volume(volume);
    const backup = record && activeBackups(record).find((one) => one.id === id);
    const path = backup?.node === from ? stores.ownFolder(backup.to, from) : undefined;
    if (path === undefined || backup === undefined)
      this.#refuse(from, "no backup of its goes here");
    const folder = new BackupFolder(path);
    if (wants === "drop") {
      const isOwn = (one: Backup): boolean => {
        return one.node === from && one.to === backup.to && one.end?.file === file;
      };
      if (!record?.Backups?.list.some(isOwn)) this.#refuse(from, "this backup is not its own");
      await folder.remove(file);
      return void stream.end(encode({}));
    }
    // No host may replace another backup's file.
    const host = view().node(from)?.Description.Hostname || from;
    if (file !== backupFile(backup, volume, host)) this.#refuse(from, "this file is not its own");
    const { pieces, last } = unframed(stream);
    await folder.write(file, pieces, {
      manifest: (found) => agreed(checkBackupManifest(last(), "manifest"), found),
      signal: this.#stopped.signal,
    });
    stream.end(encode({}));
  }

  /** The asker's agent begins a backup as soon as its own state has it, which may be before this host's has. */
  async #caughtUp(asOf: number): Promise<void> {
    const { view } = this.#parts;
    for (let waitedMs = 0; view().index < asOf; waitedMs += catchUpLookMs) {
      this.#stopped.signal.throwIfAborted();
      if (waitedMs >= catchUpMsMax) {
        const found =
          "the state of the host with the folder is older than that of the volume's host";
        throw new GamError("NO_LEADER", `Cannot help with a backup: ${found}`);
      }
      await pause(catchUpLookMs);
    }
  }

  #secret(from: NodeId, body: Uint8Array): Uint8Array {
    const { view, openSecret } = this.#parts;
    const { asOf, ...asked } = checkSecretQuestion(decode(body), "question");
    if (view().index < asOf) {
      throw new GamError("NO_LEADER", "Cannot answer: this host's state is older than the asker's");
    }
    const record = view().volume(asked.volume);
    const backup = record && activeBackups(record).find(({ id }) => id === asked.backup);
    const secret = view().secret(asked.secret);
    if (backup?.node !== from || backup.secret !== asked.secret || secret === undefined) {
      this.#refuse(from, "no backup of its uses this secret");
    }
    return encode(openSecret(secret, secret.Gam.current));
  }

  #insistOnManager(from: NodeId): void {
    if (this.#parts.view().node(from)?.Spec.Role === "manager") return;
    this.#refuse(from, "backups are for managers");
  }

  #refuse(from: NodeId, reason: string): never {
    this.#parts.mesh.refuse(from, reason);
    throw new GamError("REFUSED", `Cannot help with a backup: ${reason}`);
  }
}

/** Whether the node may have done it and could not say so. */
function isLost(thrown: unknown): boolean {
  return thrown instanceof GamError && thrown.code === "UNREACHABLE";
}

/** Errors: CORRUPT_FILE where the manifest is about something else. */
function agreed<Said extends StoredTar>(said: Said | undefined, found: StoredTar): Said {
  if (said === undefined || (said.bytes === found.bytes && said.sha256 === found.sha256)) {
    return said ?? (found as Said);
  }
  const what = `${found.bytes} bytes with SHA-256 ${found.sha256}, and its manifest says ${said.bytes} with ${said.sha256}`;
  throw new GamError("CORRUPT_FILE", `Cannot use backup: it has ${what}`);
}
