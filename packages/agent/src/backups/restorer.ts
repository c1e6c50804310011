/**
 * Restorer: takes backups for volumes of this host, and puts them in place.
 *
 * Decides when a backup may replace a volume's data: when it is whole, verified and on the disk, the state has the
 * restore, and no task and no container uses the volume. Until then the volume is as it was. An agent that was killed
 * goes on after its start: the state has the restore, and the disk shows how far it came.
 */
import type { Readable } from "node:stream";
import { GamError, messageOf, type NodeId, rethrowInvariant, type VolumeName } from "@gam/core";
import { type LocalVolume, RestoreFolder, restoresBeside, type StoredTar } from "@gam/runtime";
import {
  type AskedChange,
  bindingVolumes,
  isTerminal,
  restoreRefusal,
  type View,
  type VolumeRestore,
} from "@gam/state";
import type { ShellLog } from "../logging/shell-log.ts";
import type { VolumeShelf } from "../volumes/volume-shelf.ts";
import type { VolumeLook } from "./backup-question.ts";
import { SentCounter } from "./sent-counter.ts";

const lookMs = 1_000;

export interface RestorerParts {
  readonly self: NodeId;
  readonly volumes: VolumeShelf;
  readonly view: () => View;
  /** Errors: as ClusterMember.propose(). */
  readonly propose: (changes: readonly AskedChange[]) => Promise<unknown>;
  readonly log: ShellLog;
}

/** A backup on its way to a volume of this host. */
export interface Arriving {
  readonly volume: VolumeName;
  /** The id of the restore. */
  readonly restore: string;
  /** For people: where it comes from. */
  readonly source: string;
  /** How much there is; 0 where the sender does not know. */
  readonly bytes: number;
  /** Of a volume that is made for it. */
  readonly labels: Readonly<Record<string, string>>;
  readonly tar: Readable;
  /** Returns: what the sender has sent. Called when `tar` has ended. */
  readonly sent: () => StoredTar;
}

export class Restorer {
  readonly #parts: RestorerParts;
  readonly #timer: NodeJS.Timeout;
  readonly #stopped = new AbortController();
  /** Ids of restores whose data arrives. */
  readonly #staging = new Set<string>();
  readonly #placing = new Set<string>();
  /** The last reason to wait, so that it is logged once. */
  readonly #waiting = new Map<string, string>();
  #isTidy = false;

  constructor(parts: RestorerParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => this.notice(), lookMs);
    this.#timer.unref();
  }

  /** A record of a volume has changed, or it is time to try again. */
  notice(): void {
    if (this.#stopped.signal.aborted) return;
    const { self, view } = this.#parts;
    for (const { ID, Restore } of view().volumes()) {
      if (Restore?.node === self) this.#place(ID, Restore);
    }
    if (this.#isTidy || view().node(self) === undefined) return;
    this.#isTidy = true;
    this.#tidy().catch((thrown: unknown) => {
      rethrowInvariant(thrown);
      this.#parts.log.warn({ reason: messageOf(thrown) }, "Could not look for earlier restores");
    });
  }

  stop(): void {
    this.#stopped.abort();
    clearInterval(this.#timer);
  }

  /** Resolves to what a restore would find here. Errors: NOT_SUPPORTED, ENGINE_MISSING. */
  async look(name: VolumeName): Promise<VolumeLook> {
    const { volumes } = this.#parts;
    const volume = await volumes.find(name);
    if (volume === undefined) {
      return { exists: false, presentBytes: 0, freeBytes: 0, blockers: [] };
    }
    const [presentBytes, freeBytes, blockers] = await Promise.all([
      volumes.bytes(volume),
      volumes.freeBytes(volume),
      this.#blockers(name),
    ]);
    return { exists: true, presentBytes, freeBytes, blockers };
  }

  /**
   * Takes a backup. Resolves when the state has the restore; the volume gets the data soon after.
   *
   * Errors: IN_USE, NOT_SUPPORTED; CORRUPT_FILE for a backup that is not what was sent; those of propose(). The
   * volume is as it was then.
   */
  async stage(arriving: Arriving): Promise<void> {
    const { self, volumes, view, propose } = this.#parts;
    const { volume: name, restore, source, tar } = arriving;
    const change = (
      digest: string,
      bytes: number,
    ): Extract<AskedChange, { kind: "restoreVolume" }> => {
      return { kind: "restoreVolume", id: name, restore, node: self, source, bytes, digest };
    };
    const refusal = restoreRefusal(view(), change("", 0));
    if (refusal !== undefined) {
      throw new GamError(refusal.code, `Cannot restore volume ${name}: ${refusal.message}`);
    }
    const known = await volumes.find(name);
    const [blocker] = await this.#blockers(name);
    if (blocker !== undefined)
      throw new GamError("IN_USE", `Cannot restore volume ${name}: ${blocker}`);
    const volume = known ?? (await volumes.create(name, arriving.labels));
    const beside = new RestoreFolder(volume.folder, restore);
    this.#staging.add(restore);
    try {
      await this.#insistOnRoom(volume, arriving.bytes);
      const { bytes, sha256 } = await this.#fill(beside, tar, arriving);
      await beside.finish();
      await propose([change(sha256, bytes)]);
    } catch (thrown) {
      tar.destroy();
      // The state may have the restore all the same, now or soon: then the old data is not ours to remove.
      await beside.discard();
      if (known === undefined && view().volume(name) === undefined) await volumes.remove(name);
      throw thrown;
    } finally {
      this.#staging.delete(restore);
    }
    this.notice();
  }

  async #insistOnRoom(volume: LocalVolume, bytes: number): Promise<void> {
    const free = await this.#parts.volumes.freeBytes(volume);
    if (free >= bytes) return;
    const found = `its host has ${free} bytes free, and the backup has ${bytes}. Old and new data are on the disk together for a while`;
    throw new GamError("IN_USE", `Cannot restore volume ${volume.name}: ${found}`);
  }

  async #fill(
    beside: RestoreFolder,
    tar: Readable,
    { volume, sent }: Pick<Arriving, "volume" | "sent">,
  ): Promise<StoredTar> {
    const counter = new SentCounter();
    await this.#parts.volumes.unpackBeside(beside, counter.through(tar), this.#stopped.signal);
    const found = counter.found();
    const said = sent();
    const corrupt = (what: string): never => {
      throw new GamError("CORRUPT_FILE", `Cannot restore volume ${volume}: ${what}`);
    };
    if (!counter.hasTarEnd) corrupt("the backup has no end, so a part of it is missing");
    if (said.sha256 !== found.sha256) corrupt("the backup's checksum is not that of its manifest");
    return found;
  }

  /** Returns: containers that no restore stops, as sentences. */
  async #blockers(name: VolumeName): Promise<readonly string[]> {
    const { volumes, view } = this.#parts;
    const users = await volumes.runningWith(name);
    return users
      .filter(({ task }) => {
        const found = task === undefined ? undefined : view().task(task);
        const service = found && view().service(found.ServiceID);
        return found === undefined || !bindingVolumes(found, service).includes(name);
      })
      .map(
        (user) =>
          `container ${user.name} uses it, and no service stops for a restore: stop it first`,
      );
  }

  #place(name: VolumeName, restore: VolumeRestore): void {
    const { id } = restore;
    if (this.#placing.has(id)) return;
    this.#placing.add(id);
    this.#put(name, restore)
      .catch((thrown: unknown) => {
        rethrowInvariant(thrown);
        this.#note(name, id, messageOf(thrown));
      })
      .finally(() => this.#placing.delete(id));
  }

  async #put(name: VolumeName, { id, source, bytes }: VolumeRestore): Promise<void> {
    const { volumes, propose, log } = this.#parts;
    const end = async (error?: string): Promise<void> => {
      const said = error === undefined ? {} : { error };
      await propose([{ kind: "endVolumeRestore", id: name, restore: id, ...said }]);
      this.#waiting.delete(id);
    };
    const volume = await volumes.find(name);
    if (volume === undefined) return await end("the volume was removed");
    const user = await this.#userOf(name);
    if (user !== undefined) return this.#note(name, id, `${user} uses it`);
    const beside = new RestoreFolder(volume.folder, id);
    try {
      await beside.swap();
    } catch (thrown) {
      if (!(thrown instanceof GamError) || thrown.code !== "NOT_FOUND") throw thrown;
      return await end(thrown.message);
    }
    await end();
    log.info({ volume: name, source, bytes }, "Volume restored");
    await beside.clean();
  }

  async #userOf(name: VolumeName): Promise<string | undefined> {
    const { self, view, volumes } = this.#parts;
    const task = view()
      .tasksOn(self)
      .find((one) => {
        const uses = one.Spec.ContainerSpec.Mounts?.some(({ Source }) => Source === name) === true;
        return uses && !isTerminal(one.Status.State);
      });
    if (task !== undefined) return `task ${task.ID}`;
    const [user] = await volumes.users(name);
    return user === undefined ? undefined : `container ${user}`;
  }

  #note(volume: VolumeName, id: string, reason: string): void {
    if (this.#waiting.get(id) === reason) return;
    this.#waiting.set(id, reason);
    this.#parts.log.warn({ volume, reason }, "A volume waits to be restored");
  }

  /** Removes what restores have left that ended without this agent: an earlier one was killed. */
  async #tidy(): Promise<void> {
    const { self, view } = this.#parts;
    for (const { ID, Homes, Restore } of view().volumes()) {
      if (!Homes.some(({ node }) => node === self)) continue;
      const volume = await this.#ownOf(ID);
      if (volume === undefined) continue;
      for (const id of await restoresBeside(volume.folder)) {
        const isOver = id !== Restore?.id && id !== view().volume(ID)?.Restore?.id;
        if (isOver && !this.#staging.has(id)) await new RestoreFolder(volume.folder, id).clean();
      }
    }
  }

  /** Resolves to undefined for a volume whose data is not on this host's disk. */
  async #ownOf(name: VolumeName): Promise<LocalVolume | undefined> {
    try {
      return await this.#parts.volumes.find(name);
    } catch (thrown) {
      if (thrown instanceof GamError && thrown.code === "NOT_SUPPORTED") return undefined;
      throw thrown;
    }
  }
}
