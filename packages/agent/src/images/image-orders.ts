/**
 * Image orders: what `gam image push` and `gam image prune` do on the hosts that they name.
 *
 * Takes orders from managers only. An order to fetch is answered after some seconds at most, also while the fetch
 * goes on, and may be repeated.
 */
import { setTimeout as pause } from "node:timers/promises";
import {
  check,
  decode,
  encode,
  GamError,
  messageOf,
  type NodeId,
  rethrowInvariant,
} from "@gam/core";
import type { Mesh } from "@gam/mesh";
import { roleOf } from "@gam/peer";
import { aDigest } from "@gam/runtime";
import { heldIds, heldImages, type Usage, unusedImages, type View } from "@gam/state";
import { checkPruneRow, type ImagePush, type PruneRow, type PushRow } from "@gam/state/answers";
import type { ShellLog } from "../logging/shell-log.ts";
import type { Depot } from "./depot.ts";
import type { ImageDesk } from "./image-desk.ts";

const orders = "image orders";
/** How long a fetch may take before the order is answered with "going". */
const patienceMs = 10_000;
const answerMs = 30_000;
/** Deleting many images takes long. */
const pruneMs = 300_000;
/** Hosts that get an image together, and give each other what they have of it. */
const matesMax = 16;

const checkOrder = check.union<Order>({
  fetch: check.object({
    kind: check.literal("fetch"),
    id: aDigest,
    mates: check.list(check.id<NodeId>(), matesMax),
  }),
  prune: check.object({ kind: check.literal("prune"), all: check.boolean, apply: check.boolean }),
});
const checkFetchAnswer = check.object({
  state: check.literal("going", "done", "failed"),
  bytes: check.integer(),
  reason: check.string(65_536),
});

export type PruneWish = { readonly all: boolean; readonly apply: boolean };
interface FetchOrder {
  readonly kind: "fetch";
  readonly id: string;
  /** Hosts that get the image in the same push. */
  readonly mates: readonly NodeId[];
}
type Order = FetchOrder | ({ readonly kind: "prune" } & PruneWish);

export interface ImageOrdersParts {
  readonly self: NodeId;
  readonly desk: ImageDesk;
  readonly depot: Depot;
  readonly mesh: Pick<Mesh, "request" | "handle" | "sender" | "refuse">;
  readonly view: () => View;
  /** Last report of each host, with the images that it has. */
  readonly usage: () => ReadonlyMap<NodeId, Usage>;
  readonly log: ShellLog;
}

export class ImageOrders {
  readonly #parts: ImageOrdersParts;

  /** Starts to take orders of other hosts. */
  constructor(parts: ImageOrdersParts) {
    this.#parts = parts;
    parts.mesh.handle(orders, (from, body) => this.#serve(from, body));
  }

  /** Sends an image of this host's engine to others. Errors: NOT_FOUND, NOT_SUPPORTED, ENGINE_MISSING. */
  async push(image: string, nodes: readonly NodeId[]): Promise<ImagePush> {
    const { depot, desk, self } = this.#parts;
    const found = (await depot.find(image)) ?? (await this.#findAsOthersDo(image));
    if (found === undefined) {
      throw new GamError(
        "NOT_FOUND",
        `Cannot push image "${image}": this host has none. Run it on a host that "gam image ls" shows`,
      );
    }
    if (!(await depot.canExchange())) {
      throw new GamError(
        "NOT_SUPPORTED",
        "Cannot push images: this engine keeps them in containerd's store, and gam cannot take them out of it",
      );
    }
    const { id } = found;
    const mates = nodes.filter((node) => node !== self).slice(0, matesMax);
    const hosts = await Promise.all(
      nodes.map(async (node): Promise<PushRow> => {
        const host = this.#hostname(node);
        if (node === self) return { host, state: "done", bytes: 0, reason: "" };
        desk.giver.invite(id, node);
        try {
          const bytes = await this.#order(node, { kind: "fetch", id, mates }, answerMs);
          return { host, ...checkFetchAnswer(bytes, "answer") };
        } catch (thrown) {
          rethrowInvariant(thrown);
          return { host, state: "failed", bytes: 0, reason: messageOf(thrown) };
        }
      }),
    );
    return { id, hosts };
  }

  /** An image that came from another host has no tag in this engine, but `gam image ls` shows that of the other one. */
  async #findAsOthersDo(image: string): ReturnType<Depot["find"]> {
    const { depot, usage } = this.#parts;
    const held = [...usage().values()].flatMap(({ images }) => heldImages(images));
    const [id, ...others] = heldIds(image, held);
    return id === undefined || others.length > 0 ? undefined : await depot.find(id);
  }

  /** What is deleted, or would be without `apply`. A host that does not answer has a problem. */
  async prune(nodes: readonly NodeId[], wish: PruneWish): Promise<PruneRow[]> {
    return await Promise.all(
      nodes.map(async (node) => {
        const host = this.#hostname(node);
        try {
          if (node === this.#parts.self) return await this.#prune(wish);
          return checkPruneRow(
            await this.#order(node, { kind: "prune", ...wish }, pruneMs),
            "answer",
          );
        } catch (thrown) {
          rethrowInvariant(thrown);
          return { host, images: [], cacheBytes: 0, problem: messageOf(thrown) };
        }
      }),
    );
  }

  async #order(node: NodeId, order: Order, timeoutMs: number): Promise<unknown> {
    return decode(
      await this.#parts.mesh.request(node, { name: orders, body: encode(order), timeoutMs }),
    );
  }

  #hostname(node: NodeId): string {
    return this.#parts.view().node(node)?.Description.Hostname || node;
  }

  async #serve(from: NodeId, body: Uint8Array): Promise<Uint8Array> {
    const { mesh, view } = this.#parts;
    const order = checkOrder(decode(body), "order about images");
    const sender = mesh.sender(from);
    if (sender === undefined || roleOf(view(), { id: from, sender }) !== "manager") {
      mesh.refuse(from, "orders about images are for managers");
      throw new GamError("REFUSED", "Cannot give orders about images as a worker");
    }
    return encode(order.kind === "fetch" ? await this.#fetch(order) : await this.#prune(order));
  }

  async #fetch({ id, mates }: FetchOrder): Promise<Omit<PushRow, "host">> {
    const { desk, depot } = this.#parts;
    for (const mate of mates) desk.giver.invite(id, mate);
    if (desk.bytesOf(id) === undefined && (await depot.find(id)) !== undefined) {
      return { state: "done", bytes: 0, reason: "" };
    }
    const fetching = desk.fetch(id, mates);
    const ended = new AbortController();
    const waited = pause(patienceMs, undefined, { signal: ended.signal }).catch(rethrowInvariant);
    const fetched = await Promise.race([fetching, waited]);
    ended.abort();
    if (fetched === undefined) return { state: "going", bytes: desk.bytesOf(id) ?? 0, reason: "" };
    if (fetched.kind === "loaded") return { state: "done", bytes: fetched.bytes, reason: "" };
    return { state: "failed", bytes: 0, reason: fetched.reason };
  }

  async #prune({ all, apply }: PruneWish): Promise<PruneRow> {
    const { depot, view, self, log } = this.#parts;
    const images = (await depot.list()).map((image) => ({
      ...image,
      names: [...image.tags, ...image.digests],
    }));
    const unused = unusedImages(images, view(), { all });
    const problems: string[] = [];
    const done: typeof unused = [];
    for (const image of apply ? unused : []) {
      try {
        const { id, tags } = image;
        for (const name of tags.length > 0 ? tags : [id]) await depot.remove(name);
        done.push(image);
      } catch (thrown) {
        rethrowInvariant(thrown);
        problems.push(messageOf(thrown));
      }
    }
    const cacheBytes = apply ? await depot.cache.prune() : depot.cache.bytesToPrune;
    if (apply) log.info({ images: done.map(({ id }) => id), cacheBytes }, "Deleted unused images");
    return {
      host: this.#hostname(self),
      images: (apply ? done : unused).map(({ id, names, bytes }) => ({ id, names, bytes })),
      cacheBytes,
      problem: problems.join("; ").slice(0, 4096),
    };
  }
}
