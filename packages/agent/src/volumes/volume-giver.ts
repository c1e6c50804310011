/**
 * Volume giver: sends the files of a volume to the host that it moves to.
 *
 * Decides who gets them: the new node of a move in this peer's own state, and nobody else. Decides when: while no
 * task and no container of this host uses the volume, so that the copy is of one moment.
 */
import type { Duplex } from "node:stream";
import { decode, encode, GamError, type NodeId } from "@gam/core";
import type { Mesh } from "@gam/mesh";
import type { LocalVolume } from "@gam/runtime";
import { isTerminal, type View } from "@gam/state";
import { checkVolumeQuestion, type VolumeQuestion, volumeStream } from "./volume-question.ts";
import type { VolumeShelf } from "./volume-shelf.ts";

export interface VolumeGiverParts {
  readonly self: NodeId;
  readonly mesh: Pick<Mesh, "handleStream" | "refuse">;
  readonly volumes: VolumeShelf;
  readonly view: () => View;
}

export class VolumeGiver {
  readonly #parts: VolumeGiverParts;
  readonly #stopped = new AbortController();

  /** Starts to answer other hosts. */
  constructor(parts: VolumeGiverParts) {
    this.#parts = parts;
    parts.mesh.handleStream(volumeStream, (from, header, stream) =>
      this.#answer(from, header, stream),
    );
  }

  stop(): void {
    this.#stopped.abort();
  }

  async #answer(from: NodeId, header: Uint8Array, stream: Duplex): Promise<void> {
    // The opener learns of an error when the stream is destroyed with it.
    stream.on("error", () => undefined);
    const question = checkVolumeQuestion(decode(header), "question about a volume");
    this.#insist(from, question);
    const { volumes } = this.#parts;
    const volume = await this.#idle(question);
    const ended = new AbortController();
    const signal = AbortSignal.any([ended.signal, this.#stopped.signal]);
    stream.once("close", () => ended.abort());
    switch (question.wants) {
      case "look":
        stream.end(encode({ bytes: await volumes.bytes(volume), labels: volume.labels }));
        return;
      case "copy":
        await volumes.pack(volume, stream, { signal });
        return;
      case "digest": {
        const digest = await volumes.digest(volume, signal);
        // A container that was started meanwhile may have written.
        await this.#idle(question);
        stream.end(digest);
        return;
      }
    }
  }

  /** Errors: REFUSED. */
  #insist(from: NodeId, { volume, move }: VolumeQuestion): void {
    const { self, view, mesh } = this.#parts;
    const present = view().volume(volume)?.Move;
    if (present?.id === move && present.from === self && present.to === from) return;
    mesh.refuse(from, "no volume is being moved there");
    throw new GamError("REFUSED", `Cannot give volume ${volume}: it is not being moved there`);
  }

  /** Errors: IN_USE, NOT_FOUND. */
  async #idle({ volume: name }: VolumeQuestion): Promise<LocalVolume> {
    const { self, view, volumes } = this.#parts;
    const task = view()
      .tasksOn(self)
      .find(({ Status, Spec }) => {
        const uses = Spec.ContainerSpec.Mounts?.some(({ Source }) => Source === name) === true;
        return uses && !isTerminal(Status.State);
      });
    if (task !== undefined) {
      throw new GamError("IN_USE", `Cannot give volume ${name}: task ${task.ID} still uses it`);
    }
    const [user] = await volumes.users(name);
    if (user !== undefined) {
      throw new GamError("IN_USE", `Cannot give volume ${name}: container ${user} uses it`);
    }
    const volume = await volumes.find(name);
    if (volume !== undefined) return volume;
    throw new GamError("NOT_FOUND", `Cannot give volume ${name}: this host's engine has none`);
  }
}
