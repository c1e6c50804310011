/**
 * Backup maker: reads a volume of this host as a tar, with the commands that its service wants to run before and after.
 *
 * Decides what a command's failure means: before, there is no backup; after, the backup has a note. The command after
 * runs whenever the one before was begun: it may undo what stops an application.
 */
import { createHash } from "node:crypto";
import { PassThrough, type Readable, Writable } from "node:stream";
import {
  GamError,
  messageOf,
  type NodeId,
  rethrowInvariant,
  type ServiceId,
  type VolumeName,
} from "@gam/core";
import type { LocalVolume, StoredTar, VolumeUser } from "@gam/runtime";
import {
  type BackupHooks,
  backupHooks,
  type Service,
  servicesByName,
  servicesOf,
  type View,
} from "@gam/state";
import type { BackupManifest } from "@gam/state/answers";
import type { ShellLog } from "../logging/shell-log.ts";
import type { VolumeShelf } from "../volumes/volume-shelf.ts";

const hookMsMax = 3_600_000;
const notesMax = 8;
const noHooks: BackupHooks = { pre: undefined, post: undefined, mayChange: false };

export interface BackupMakerParts {
  readonly self: NodeId;
  readonly volumes: VolumeShelf;
  readonly view: () => View;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  readonly log: ShellLog;
}

/** A backup that is being made. */
export interface Making {
  /** Ends only when the backup is whole. Destroy it to give up. */
  readonly tar: Readable;
  /** Called when `tar` has ended. Errors: DISK_FAILED if something else arrived than was sent. */
  readonly manifest: (found: StoredTar) => BackupManifest;
}

export class BackupMaker {
  readonly #parts: BackupMakerParts;

  constructor(parts: BackupMakerParts) {
    this.#parts = parts;
  }

  /** `service`: the one whose commands run. Absent: the first that uses the volume and has some. */
  make(name: VolumeName, service?: ServiceId): Making {
    const tar = new PassThrough({ highWaterMark: 1 << 20 });
    const ended = new AbortController();
    tar.once("close", () => ended.abort());
    // Whoever reads it gets the error from the stream; a reader that has left needs none.
    tar.on("error", () => undefined);
    let made: BackupManifest | undefined;
    this.#make(name, { service, to: tar, signal: ended.signal }).then(
      (manifest) => {
        made = manifest;
        tar.end();
      },
      (thrown: unknown) => {
        rethrowInvariant(thrown);
        tar.destroy(thrown instanceof Error ? thrown : new Error(messageOf(thrown)));
      },
    );
    return {
      tar,
      manifest: ({ bytes, sha256 }) => {
        if (made !== undefined && made.bytes === bytes && made.sha256 === sha256) return made;
        throw new GamError(
          "DISK_FAILED",
          `Cannot back up volume ${name}: the data was changed on its way`,
        );
      },
    };
  }

  async #make(
    name: VolumeName,
    {
      service: id,
      to,
      signal,
    }: {
      readonly service: ServiceId | undefined;
      readonly to: PassThrough;
      readonly signal: AbortSignal;
    },
  ): Promise<BackupManifest> {
    const { volumes, view, nowMs, self } = this.#parts;
    const volume = await volumes.find(name);
    if (volume === undefined) {
      throw new GamError("NOT_FOUND", `Cannot back up volume ${name}: this host's engine has none`);
    }
    const service = id === undefined ? this.#serviceOf(name) : view().service(id);
    const hooks = service === undefined ? noHooks : backupHooks(service.Spec);
    const madeAt = new Date(nowMs()).toISOString();
    const { read, notes } = await this.#around(volume, { hooks, service }, () => {
      return this.#read(volume, { mayChange: hooks.mayChange, to, signal });
    });
    const host = view().node(self)?.Description.Hostname || self;
    const { labels } = volume;
    const { bytes, sha256, changed } = read;
    const all = [...changed, ...notes];
    return { format: 1, volume: name, host, madeAt, bytes, sha256, labels, notes: all };
  }

  #serviceOf(name: VolumeName): Service | undefined {
    const view = this.#parts.view();
    const record = view.volume(name);
    if (record === undefined) return undefined;
    return servicesOf(record, servicesByName(view)).find(({ Spec }) => {
      const { pre, post, mayChange } = backupHooks(Spec);
      return pre !== undefined || post !== undefined || mayChange;
    });
  }

  /** Runs the commands around `work`. */
  async #around<T>(
    { name }: LocalVolume,
    { hooks, service }: { readonly hooks: BackupHooks; readonly service: Service | undefined },
    work: () => Promise<T>,
  ): Promise<{ readonly read: T; readonly notes: readonly string[] }> {
    const { volumes, log } = this.#parts;
    const { pre, post } = hooks;
    const wanted = pre !== undefined || post !== undefined;
    const containers = wanted ? await this.#containersOf(name, service) : [];
    const begun: VolumeUser[] = [];
    const notes: string[] = [];
    try {
      for (const container of containers) {
        begun.push(container);
        if (pre === undefined) continue;
        await volumes.run(container, pre, hookMsMax).catch((thrown: unknown) => {
          rethrowInvariant(thrown);
          const reason = `the command before it failed: ${messageOf(thrown)}`;
          throw new GamError("REFUSED", `Cannot back up volume ${name}: ${reason}`);
        });
      }
      const read = await work();
      if (pre !== undefined) await this.#insistOnSame(name, service, begun);
      return { read, notes };
    } finally {
      for (const container of post === undefined ? [] : begun.reverse()) {
        await volumes.run(container, post ?? "", hookMsMax).catch((thrown: unknown) => {
          rethrowInvariant(thrown);
          const reason = messageOf(thrown);
          notes.push(`the command after it failed: ${reason}`);
          log.warn({ volume: name, reason }, "The command after a backup failed");
        });
      }
    }
  }

  /** Errors: IN_USE for a container that was started meanwhile: nothing has stopped it from writing. */
  async #insistOnSame(
    name: string,
    service: Service | undefined,
    begun: readonly VolumeUser[],
  ): Promise<void> {
    const known = new Set(begun.map(({ id }) => id));
    const late = (await this.#containersOf(name, service)).find(({ id }) => !known.has(id));
    if (late === undefined) return;
    const found = `container ${late.name} was started meanwhile`;
    throw new GamError("IN_USE", `Cannot back up volume ${name}: ${found}`);
  }

  /** Without a running container of the service, nothing of it writes. */
  async #containersOf(name: string, service: Service | undefined): Promise<readonly VolumeUser[]> {
    const { volumes, view } = this.#parts;
    return (await volumes.runningWith(name)).filter(({ task }) => {
      return task !== undefined && view().task(task)?.ServiceID === service?.ID;
    });
  }

  async #read(
    volume: LocalVolume,
    {
      mayChange,
      to,
      signal,
    }: {
      readonly mayChange: boolean;
      readonly to: PassThrough;
      readonly signal: AbortSignal;
    },
  ): Promise<StoredTar & { readonly changed: readonly string[] }> {
    const hash = createHash("sha256");
    let bytes = 0;
    // Not a pipe: `to` must not end before the command after has run.
    const into = new Writable({
      write: (piece: Buffer, _coding, done) => {
        hash.update(piece);
        bytes += piece.length;
        if (to.write(piece)) done();
        else to.once("drain", done);
      },
    });
    const said = await this.#parts.volumes
      .pack(volume, into, { signal, mayChange })
      .catch((thrown: unknown) => {
        rethrowInvariant(thrown);
        throw signal.aborted
          ? new GamError("REFUSED", "the reader has left")
          : changedOr(volume, thrown);
      });
    return {
      bytes,
      sha256: hash.digest("hex"),
      changed: said.filter(isOfChange).slice(0, notesMax),
    };
  }
}

function isOfChange(line: string): boolean {
  return /changed as we read it|removed before we read it|shrank by/.test(line);
}

function changedOr({ name }: LocalVolume, thrown: unknown): unknown {
  const line = messageOf(thrown).split("; ").find(isOfChange);
  if (line === undefined) return thrown;
  const found = line.replace(/^.*tar: /, "");
  const remedy =
    'Let the service stop writing by the labels "gam.backup.pre" and "gam.backup.post", or set "gam.backup.changes=allow" if that does no harm';
  return new GamError("IN_USE", `Cannot back up volume ${name}: ${found}. ${remedy}`);
}
