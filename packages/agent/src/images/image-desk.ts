/**
 * Image desk: exchanges images with the other hosts of the cluster.
 *
 * Decides whom to ask for an image: first the hosts whose usage or tasks name it; all connected hosts if there are
 * none, since usage is some seconds old. How the image comes is in image-fetch.ts, and what others get from this
 * host in image-giver.ts.
 */
import { messageOf, type NodeId, rethrowInvariant } from "@gam/core";
import type { Mesh } from "@gam/mesh";
import { roleOf } from "@gam/peer";
import type { ImageSource } from "@gam/runtime";
import { imageNames, isTerminal, type Usage, type View } from "@gam/state";
import type { ShellLog } from "../logging/shell-log.ts";
import type { Depot } from "./depot.ts";
import { type Fetched, ImageFetch } from "./image-fetch.ts";
import { ImageGiver } from "./image-giver.ts";

/** Peers that are asked about an image. */
const askedMax = 32;
/** Images that are fetched at one time. */
const fetchesMax = 2;
/** For how long a peer that lied is left alone. */
const liedMs = 600_000;

export interface ImageDeskParts {
  readonly self: NodeId;
  readonly depot: Depot;
  readonly mesh: Pick<Mesh, "request" | "handle" | "stream" | "handleStream" | "sender">;
  readonly view: () => View;
  readonly usage: () => ReadonlyMap<NodeId, Usage>;
  readonly bytesPerSecond: number;
  readonly log: ShellLog;
}

export class ImageDesk implements ImageSource {
  readonly giver: ImageGiver;
  readonly #parts: ImageDeskParts;
  readonly #fetches = new Map<string, Promise<Fetched>>();
  readonly #liedMs = new Map<NodeId, number>();
  readonly #waiting: (() => void)[] = [];
  /** Those of the fetches that have their turn. */
  readonly #running = new Map<string, ImageFetch>();
  #turns = 0;

  /** Starts to answer other hosts. */
  constructor(parts: ImageDeskParts) {
    this.#parts = parts;
    this.giver = new ImageGiver(parts);
  }

  /**
   * Brings an image from other hosts into the engine. One fetch serves all that wait for it. Never rejects.
   * `mates`: hosts that are known to fetch it too, beside those with tasks of it.
   */
  async fetch(image: string, mates: readonly NodeId[] = []): Promise<Fetched> {
    const running = this.#fetches.get(image);
    if (running !== undefined) return await running;
    const fetch = this.#inTurn(image, mates).finally(() => this.#fetches.delete(image));
    this.#fetches.set(image, fetch);
    return await fetch;
  }

  /** Bytes that have come of an image which is being fetched; undefined if it is not. */
  bytesOf(image: string): number | undefined {
    return this.#fetches.has(image) ? (this.#running.get(image)?.bytes ?? 0) : undefined;
  }

  async #inTurn(image: string, mates: readonly NodeId[]): Promise<Fetched> {
    if (this.#turns >= fetchesMax) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#turns += 1;
    try {
      return await this.#fetch(image, mates);
    } finally {
      this.#turns -= 1;
      this.#running.delete(image);
      this.#waiting.shift()?.();
    }
  }

  async #fetch(image: string, mates: readonly NodeId[]): Promise<Fetched> {
    const { self, depot, mesh, log } = this.#parts;
    const startMs = performance.now();
    try {
      if (this.#peers(image, mates).length === 0)
        return { kind: "none", reason: "no other host is connected" };
      if (!(await depot.canExchange())) {
        return { kind: "none", reason: "this engine keeps images in containerd's store" };
      }
      const fetch = new ImageFetch(image, {
        ...{ self, depot, mesh, log },
        peers: () => this.#peers(image, mates),
        isManager: (peer) => this.#isManager(peer),
        lied: (peer, what) => this.#lied(peer, image, what),
      });
      this.#running.set(image, fetch);
      const fetched = await fetch.run();
      const ms = Math.round(performance.now() - startMs);
      if (fetched.kind === "loaded")
        log.info({ image, ms, bytes: fetched.bytes }, "Fetched an image from other hosts");
      else
        log.info({ image, ms, reason: fetched.reason }, "Did not fetch an image from other hosts");
      return fetched;
    } catch (thrown) {
      rethrowInvariant(thrown);
      log.warn({ image, reason: messageOf(thrown) }, "Could not fetch an image from other hosts");
      return { kind: "none", reason: messageOf(thrown) };
    }
  }

  #peers(image: string, told: readonly NodeId[]): NodeId[] {
    const { self, mesh, view, usage } = this.#parts;
    const names = imageNames(image);
    const nowMs = performance.now();
    const connected = view()
      .nodes()
      .map(({ ID }) => ID)
      .filter((id) => id !== self && mesh.sender(id) !== undefined)
      .filter((id) => (this.#liedMs.get(id) ?? Number.NEGATIVE_INFINITY) + liedMs < nowMs);
    const has = (id: NodeId): boolean =>
      usage()
        .get(id)
        ?.images.some((name) => names.has(name)) ?? false;
    const runs = (id: NodeId): boolean =>
      view()
        .tasksOn(id)
        .some(
          ({ Spec, Status }) => Spec.ContainerSpec.Image === image && !isTerminal(Status.State),
        );
    const holders = connected.filter(has);
    // Hosts that fetch the same image give what they have of it.
    const mates = connected.filter((id) => !has(id) && (told.includes(id) || runs(id)));
    return (holders.length === 0 ? connected : [...holders, ...mates]).slice(0, askedMax);
  }

  #isManager(peer: NodeId): boolean {
    const sender = this.#parts.mesh.sender(peer);
    return sender !== undefined && roleOf(this.#parts.view(), { id: peer, sender }) === "manager";
  }

  #lied(peer: NodeId, image: string, what: string): void {
    this.#liedMs.set(peer, performance.now());
    this.#parts.log.warn(
      { peer, image, reason: what },
      "A peer sent a part of an image that its digest disproves. It is asked for no images for ten minutes",
    );
  }
}
