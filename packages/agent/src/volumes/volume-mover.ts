/**
 * Volume mover: copies volumes that are moved to this host, and removes what moves have left here.
 *
 * Decides nothing about where a volume belongs: the state does (VolumeMove). All that is to do follows from the
 * state, so an agent that was killed begins again after its start, and a move survives every change of the leader.
 *
 *   Move.to is this host    make the volume, fill it, compare checksums, then endVolumeMove
 *   a leftover is here      remove it, then dropVolumeLeftover
 *
 * Waits as long as it takes for the old host. Gives up, with the reason, on what no waiting mends: the disk is too
 * small, or this host has a volume of that name already.
 */
import { type Readable, Transform } from "node:stream";
import {
  decode,
  encode,
  GamError,
  messageOf,
  type NodeId,
  rethrowInvariant,
  type VolumeName,
} from "@gam/core";
import type { Mesh } from "@gam/mesh";
import type { LocalVolume } from "@gam/runtime";
import type { AskedChange, View, VolumeLeftover, VolumeMove, VolumeRecord } from "@gam/state";
import type { ShellLog } from "../logging/shell-log.ts";
import {
  checkVolumeLook,
  type VolumeLook,
  type VolumeQuestion,
  volumeStream,
} from "./volume-question.ts";
import type { VolumeShelf } from "./volume-shelf.ts";

/** Marks a volume that is the copy of this move. Nothing without it is ever removed as a copy. */
const moveLabel = "gam.volume.move";
const lookMs = 1_000;
const reportMs = 2_000;
/** Copies that arrive with another checksum. Another one could do no better. */
const triesMax = 3;
const smallBytesMax = 1 << 20;

export interface VolumeMoverParts {
  readonly self: NodeId;
  readonly mesh: Pick<Mesh, "stream">;
  readonly volumes: VolumeShelf;
  readonly view: () => View;
  /** Errors: as ClusterMember.propose(). */
  readonly propose: (changes: readonly AskedChange[]) => Promise<unknown>;
  /** Returns: a new id. */
  readonly mint: () => string;
  readonly log: ShellLog;
}

/** What no second try mends. */
class Hopeless extends Error {}

export class VolumeMover {
  readonly #parts: VolumeMoverParts;
  readonly #timer: NodeJS.Timeout;
  /** By move. */
  readonly #copying = new Map<string, AbortController>();
  readonly #tries = new Map<string, number>();
  readonly #removing = new Set<string>();
  /** The last reason to wait, so that it is logged once. */
  readonly #waiting = new Map<string, string>();
  #stopped = false;

  constructor(parts: VolumeMoverParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => this.notice(), lookMs);
    this.#timer.unref();
  }

  /** A record of a volume has changed, or it is time to try again. */
  notice(): void {
    if (this.#stopped) return;
    const { self, view } = this.#parts;
    const moves = new Set<string>();
    for (const record of view().volumes()) {
      const { Move, Leftovers = [] } = record;
      if (Move?.to === self) {
        moves.add(Move.id);
        this.#begin(record.ID, Move);
      }
      for (const leftover of Leftovers) {
        if (leftover.node === self) this.#remove(record, leftover);
      }
    }
    for (const [move, controller] of this.#copying) if (!moves.has(move)) controller.abort();
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
    for (const controller of this.#copying.values()) controller.abort();
  }

  #begin(name: VolumeName, move: VolumeMove): void {
    if (this.#copying.has(move.id)) return;
    const controller = new AbortController();
    this.#copying.set(move.id, controller);
    this.#copy(name, move, controller.signal)
      .catch(async (thrown: unknown) => {
        rethrowInvariant(thrown);
        if (controller.signal.aborted) return;
        if (thrown instanceof Hopeless) await this.#giveUp(name, move, thrown.message);
        else this.#note(name, move, messageOf(thrown));
      })
      .finally(() => this.#copying.delete(move.id));
  }

  async #copy(name: VolumeName, move: VolumeMove, signal: AbortSignal): Promise<void> {
    const { volumes, propose, mint, log } = this.#parts;
    const known = await this.#present(name);
    if (known !== undefined && known.labels[moveLabel] !== move.id) {
      throw new Hopeless("the new host has a volume of that name already: remove it first");
    }
    const look = await this.#look(name, move);
    const copy = mint();
    await propose([{ kind: "beginVolumeCopy", id: name, move: move.id, copy }]);
    // An earlier try may have ended the move a moment ago, or a person: then nothing here is touched.
    if (this.#parts.view().volume(name)?.Move?.copy !== copy) return;
    // What an earlier try has left. The source is whole, so beginning again loses nothing.
    if (known !== undefined) await volumes.remove(name);
    const volume = await volumes.create(name, { ...look.labels, [moveLabel]: move.id });
    const free = await volumes.freeBytes(volume);
    if (free < look.bytes) {
      throw new Hopeless(`the new host has ${free} bytes free, and the volume has ${look.bytes}`);
    }
    await this.#fill(volume, { ...move, copy }, { totalBytes: look.bytes, signal });
    const [digest, there] = await Promise.all([
      volumes.digest(volume, signal),
      this.#small(name, move, "digest"),
    ]);
    if (digest !== Buffer.from(there).toString()) {
      const tries = 1 + (this.#tries.get(move.id) ?? 0);
      this.#tries.set(move.id, tries);
      const found = "the copy's checksum is not that of the volume";
      if (tries >= triesMax) throw new Hopeless(`${found}, ${tries} times`);
      throw new Error(found);
    }
    signal.throwIfAborted();
    await propose([{ kind: "endVolumeMove", id: name, move: move.id, copy, digest }]);
    this.#waiting.delete(move.id);
    this.#tries.delete(move.id);
    log.info({ volume: name, digest, bytes: look.bytes }, "Volume moved here");
  }

  async #present(name: VolumeName): Promise<LocalVolume | undefined> {
    try {
      return await this.#parts.volumes.find(name);
    } catch (thrown) {
      if (thrown instanceof GamError && thrown.code === "NOT_SUPPORTED") {
        throw new Hopeless("the new host has a volume of that name already: remove it first");
      }
      throw thrown;
    }
  }

  async #look(name: VolumeName, move: VolumeMove): Promise<VolumeLook> {
    try {
      return checkVolumeLook(
        decode(await this.#small(name, move, "look")),
        "answer about a volume",
      );
    } catch (thrown) {
      const codes = ["NOT_FOUND", "NOT_SUPPORTED"];
      if (!(thrown instanceof GamError) || !codes.includes(thrown.code)) throw thrown;
      throw new Hopeless(thrown.message);
    }
  }

  async #fill(
    volume: LocalVolume,
    move: VolumeMove & { readonly copy: string },
    { totalBytes, signal }: { readonly totalBytes: number; readonly signal: AbortSignal },
  ): Promise<void> {
    const { volumes, propose } = this.#parts;
    const id = volume.name as VolumeName;
    const from = await this.#ask(id, move, "copy");
    let bytes = 0;
    const counted = new Transform({
      transform: (piece: Buffer, _coding, done) => {
        bytes += piece.length;
        done(undefined, piece);
      },
    });
    const report = setInterval(() => {
      const said = {
        kind: "reportVolumeMove",
        id,
        move: move.id,
        copy: move.copy,
        ...{ bytes, totalBytes },
      } as const;
      // The next report says it, too.
      propose([said]).catch(rethrowInvariant);
    }, reportMs);
    from.once("error", (thrown) => counted.destroy(thrown));
    counted.once("close", () => from.destroy());
    try {
      await volumes.unpack(volume, from.pipe(counted), signal);
    } finally {
      clearInterval(report);
      from.destroy();
    }
  }

  async #small(
    volume: VolumeName,
    move: VolumeMove,
    wants: "look" | "digest",
  ): Promise<Uint8Array> {
    const pieces: Buffer[] = [];
    let bytes = 0;
    for await (const piece of (await this.#ask(volume, move, wants)) as AsyncIterable<Buffer>) {
      bytes += piece.length;
      if (bytes > smallBytesMax) throw new Error("the old host's answer is too long");
      pieces.push(piece);
    }
    return Buffer.concat(pieces);
  }

  async #ask(
    volume: VolumeName,
    move: VolumeMove,
    wants: VolumeQuestion["wants"],
  ): Promise<Readable> {
    const question: VolumeQuestion = { volume, move: move.id, wants };
    const stream = await this.#parts.mesh.stream(move.from, volumeStream, encode(question));
    stream.end();
    return stream;
  }

  async #giveUp(id: VolumeName, move: VolumeMove, error: string): Promise<void> {
    this.#parts.log.warn({ volume: id, reason: error }, "Could not move a volume here");
    try {
      await this.#parts.propose([{ kind: "stopVolumeMove", id, move: move.id, error }]);
    } catch (thrown) {
      // Tried again at the next look.
      if (!(thrown instanceof GamError)) throw thrown;
    }
  }

  #note(volume: VolumeName, { id }: VolumeMove, reason: string): void {
    if (this.#waiting.get(id) === reason) return;
    this.#waiting.set(id, reason);
    this.#parts.log.warn({ volume, reason }, "A volume waits to be moved here");
  }

  #remove({ ID: id, Homes }: VolumeRecord, { node, move, was }: VolumeLeftover): void {
    const { volumes, propose, log } = this.#parts;
    if (this.#copying.has(move) || this.#removing.has(move)) return;
    if (Homes.some((home) => home.node === node)) return;
    this.#removing.add(move);
    const work = async (): Promise<void> => {
      // A volume with a driver or options of its own is no copy of gam's.
      const found = await this.#present(id).catch((thrown: unknown) => {
        if (thrown instanceof Hopeless) return undefined;
        throw thrown;
      });
      const isCopy = found?.labels[moveLabel] === move;
      if (found !== undefined && (isCopy || was === "source")) await volumes.remove(id);
      await propose([{ kind: "dropVolumeLeftover", id, move, node }]);
      this.#waiting.delete(move);
      log.info({ volume: id, was }, "What a move of a volume left here is removed");
    };
    work()
      .catch((thrown: unknown) => {
        rethrowInvariant(thrown);
        const reason = messageOf(thrown);
        if (this.#waiting.get(move) === reason) return;
        this.#waiting.set(move, reason);
        log.warn({ volume: id, reason }, "Could not remove what a move of a volume left here");
      })
      .finally(() => this.#removing.delete(move));
  }
}
