/**
 * Backup runner: makes the backups of this host's volumes that the state has.
 *
 * All that is to do follows from the state. An agent that was killed makes the backup again, under the same name.
 * Removes scheduled backups that are more than the service keeps, when a new one is whole.
 */
import { setTimeout as pause } from "node:timers/promises";
import { GamError, messageOf, type NodeId, rethrowInvariant, type VolumeName } from "@gam/core";
import {
  type AskedChange,
  activeBackups,
  type Backup,
  type BackupEnd,
  backupFile,
  backupsKept,
  messageLengthMax,
  type View,
  type VolumeRecord,
} from "@gam/state";
import type { ShellLog } from "../logging/shell-log.ts";
import type { BackupMaker } from "./backup-maker.ts";
import type { BackupStore, BackupStores } from "./backup-stores.ts";

const lookMs = 1_000;
/** A volume whose files change, or whose service is just starting, may be at rest a little later. */
const triesMax = 3;
const againMsDefault = 5_000;

export interface BackupRunnerParts {
  readonly self: NodeId;
  readonly view: () => View;
  readonly maker: Pick<BackupMaker, "make">;
  readonly stores: Pick<BackupStores, "target">;
  /** Errors: as ClusterMember.propose(). */
  readonly propose: (changes: readonly AskedChange[]) => Promise<unknown>;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  readonly log: ShellLog;
  /** Before another try. */
  readonly againMs?: number;
}

type Ended = Extract<AskedChange, { kind: "endBackup" }>;

export class BackupRunner {
  readonly #parts: BackupRunnerParts;
  readonly #timer: NodeJS.Timeout;
  /** By backup. */
  readonly #making = new Map<string, AbortController>();
  /** Backups whose end the state does not have yet. */
  readonly #ended = new Map<string, Ended>();
  #stopped = false;

  constructor(parts: BackupRunnerParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => this.notice(), lookMs);
    this.#timer.unref();
  }

  /** A record of a volume has changed, or it is time to try again. */
  notice(): void {
    if (this.#stopped) return;
    const { self, view } = this.#parts;
    const wanted = new Set<string>();
    for (const record of view().volumes()) {
      for (const backup of activeBackups(record)) {
        if (backup.node !== self) continue;
        wanted.add(backup.id);
        this.#begin(record, backup);
      }
    }
    for (const [id, controller] of this.#making) if (!wanted.has(id)) controller.abort();
    for (const id of this.#ended.keys()) if (!wanted.has(id)) this.#ended.delete(id);
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
    for (const controller of this.#making.values()) controller.abort();
  }

  #begin(record: VolumeRecord, backup: Backup): void {
    if (this.#making.has(backup.id)) return;
    const controller = new AbortController();
    this.#making.set(backup.id, controller);
    this.#work(record, backup, controller.signal)
      .catch((thrown: unknown) => {
        rethrowInvariant(thrown);
        this.#parts.log.warn(
          { volume: record.ID, reason: messageOf(thrown) },
          "Could not tell the end of a backup",
        );
      })
      .finally(() => this.#making.delete(backup.id));
  }

  async #work(record: VolumeRecord, backup: Backup, signal: AbortSignal): Promise<void> {
    const { propose } = this.#parts;
    const ended = this.#ended.get(backup.id) ?? (await this.#make(record, backup, signal));
    if (signal.aborted) return;
    this.#ended.set(backup.id, ended);
    await propose([ended]);
    this.#ended.delete(backup.id);
  }

  async #make({ ID }: VolumeRecord, backup: Backup, signal: AbortSignal): Promise<Ended> {
    const { stores, nowMs, log } = this.#parts;
    const ended = (end: Omit<BackupEnd, "atMs">, dropped: readonly string[] = []): Ended => {
      const reason = end.reason.slice(0, messageLengthMax);
      const whole = { ...end, reason, atMs: nowMs() };
      return { kind: "endBackup", id: ID, backup: backup.id, end: whole, dropped };
    };
    try {
      const store = await stores.target(
        { to: backup.to, secret: backup.secret },
        {
          ...{ volume: ID, backup: backup.id },
        },
      );
      const end = await this.#writeAgain(ID, backup, { store, signal });
      log.info({ volume: ID, ...end }, "Volume backed up");
      return ended(end, await this.#drop(ID, backup, store));
    } catch (thrown) {
      rethrowInvariant(thrown);
      const reason = messageOf(thrown);
      if (!signal.aborted) log.warn({ volume: ID, reason }, "Could not back up a volume");
      return ended({ result: "failed", reason });
    }
  }

  async #writeAgain(
    volume: VolumeName,
    backup: Backup,
    to: { readonly store: BackupStore; readonly signal: AbortSignal },
  ): Promise<Omit<BackupEnd, "atMs">> {
    const { againMs = againMsDefault, log } = this.#parts;
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#write(volume, backup, to);
      } catch (thrown) {
        const isPassing = thrown instanceof GamError && thrown.code === "IN_USE";
        if (!isPassing || tries >= triesMax || to.signal.aborted) throw thrown;
        log.info({ volume, reason: thrown.message }, "A backup is tried again");
      }
      await pause(againMs, undefined, { signal: to.signal });
    }
  }

  async #write(
    volume: VolumeName,
    backup: Backup,
    { store, signal }: { readonly store: BackupStore; readonly signal: AbortSignal },
  ): Promise<Omit<BackupEnd, "atMs">> {
    const { self, view, maker } = this.#parts;
    const file = backupFile(backup, volume, view().node(self)?.Description.Hostname || self);
    const { tar, manifest } = maker.make(volume, backup.service);
    try {
      const { bytes, sha256, notes } = await store.write(file, tar, { manifest, signal });
      return { result: "complete", reason: notes.join("; "), file, bytes, digest: sha256 };
    } finally {
      tar.destroy();
    }
  }

  /** Resolves to the ids of the backups that were removed. One that cannot be removed is tried again the next time. */
  async #drop(id: VolumeName, backup: Backup, store: BackupStore): Promise<readonly string[]> {
    const { view, log } = this.#parts;
    const service = backup.service === undefined ? undefined : view().service(backup.service);
    if (backup.by !== "schedule" || service === undefined) return [];
    const earlier = (view().volume(id)?.Backups?.list ?? []).filter((one) => {
      const isOfKind = one.by === "schedule" && one.node === backup.node && one.to === backup.to;
      return isOfKind && one.end?.result === "complete";
    });
    const surplus = earlier.slice(0, Math.max(0, earlier.length + 1 - backupsKept(service.Spec)));
    const dropped: string[] = [];
    for (const one of surplus) {
      try {
        await store.remove(one.end?.file ?? "");
        dropped.push(one.id);
      } catch (thrown) {
        rethrowInvariant(thrown);
        const reason = thrown instanceof GamError ? thrown.message : messageOf(thrown);
        log.warn({ volume: id, file: one.end?.file, reason }, "Could not remove an old backup");
      }
    }
    return dropped;
  }
}
