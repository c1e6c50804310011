/**
 * Image giver: answers other hosts that lack an image, and sends them layers.
 *
 * Decides what other hosts get: what image-authority.ts allows, and what a manager's `gam image push` asked for. A
 * host that is still fetching an image gives the layers that it has. Layers leave the engine once, whoever asks.
 */
import { once } from "node:events";
import type { Duplex } from "node:stream";
import { decode, encode, GamError, messageOf, type NodeId, rethrowInvariant } from "@gam/core";
import type { Mesh } from "@gam/mesh";
import { refusalOfImage } from "@gam/peer";
import type { View } from "@gam/state";
import type { ShellLog } from "../logging/shell-log.ts";
import type { Depot } from "./depot.ts";
import {
  checkLayerQuestion,
  checkQuestion,
  type ImageAnswer,
  layers,
  questions,
} from "./image-question.ts";
import { UploadRate } from "./upload-rate.ts";

/** Layers that are sent at one time, to all hosts together. */
const uploadsMax = 3;
/** A host that takes nothing for this long loses its turn. */
const stalledMs = 30_000;
const foundMs = 5_000;
const foundMax = 64;
/** A host that was told to wait asks again sooner than this, if it still waits. */
const waitingMs = 1_500;
const inviteMs = 300_000;
const pieceBytes = 256 * 1024;
/** After an engine failed to give an image, it is asked again after this time. */
const retryMs = 10_000;

export interface ImageGiverParts {
  readonly depot: Depot;
  readonly mesh: Pick<Mesh, "handle" | "handleStream" | "sender">;
  readonly view: () => View;
  readonly bytesPerSecond: number;
  readonly log: ShellLog;
}

/** An image that this host can give, or parts of it. */
interface Given {
  readonly id: string;
  readonly names: readonly string[];
  readonly layers: readonly string[];
  readonly bytes: number;
  readonly whole: boolean;
}

export class ImageGiver {
  readonly #parts: ImageGiverParts;
  readonly #rate: UploadRate;
  /** By image, the layers that are being taken out of the engine. */
  readonly #opening = new Map<string, Set<string>>();
  readonly #failedMs = new Map<string, number>();
  /** Image and node of the pushes from this host, and until when they hold. */
  readonly #guests = new Map<string, number>();
  /** Hosts ask several times a second, and an engine that loads an image answers slowly. */
  readonly #found = new Map<string, { readonly given: Given; readonly untilMs: number }>();
  /** Layers that are being sent. */
  readonly #uploads: { readonly to: NodeId; readonly layer: string }[] = [];
  /** When a host was last told to wait. */
  readonly #waitingMs = new Map<NodeId, number>();

  /** Starts to answer other hosts. */
  constructor(parts: ImageGiverParts) {
    this.#parts = parts;
    this.#rate = new UploadRate(parts.bytesPerSecond);
    parts.mesh.handle(questions, (from, body) => this.#answer(from, body));
    parts.mesh.handleStream(layers, (from, header, stream) => this.#send(from, header, stream));
  }

  /** Lets a node have an image for the next minutes. */
  invite(id: string, node: NodeId): void {
    const nowMs = performance.now();
    for (const [key, untilMs] of this.#guests) if (untilMs < nowMs) this.#guests.delete(key);
    this.#guests.set(`${id} ${node}`, nowMs + inviteMs);
  }

  async #answer(from: NodeId, body: Uint8Array): Promise<Uint8Array> {
    const { depot } = this.#parts;
    const { image, lacks, open } = checkQuestion(decode(body), "question about an image");
    const found = await this.#find(image);
    this.#insist(from, found.id, found.names);
    const { id, layers, bytes, whole } = found;
    depot.cache.use(lacks);
    const isLacking = (layer: string): boolean => !depot.cache.has(layer);
    const recipe = depot.recipe(id);
    const isIncomplete = recipe?.config === undefined || lacks.some(isLacking);
    if (open && whole && isIncomplete) this.#takeOut(id, lacks.length > 0 ? lacks : layers);
    const answer: ImageAnswer = {
      ...{ id, layers, bytes, whole },
      ...(recipe?.config && { config: recipe.config }),
      opening: this.#opening.has(id),
      ready: lacks.flatMap((layer) => {
        const bytes = depot.cache.bytesOf(layer);
        return bytes === undefined ? [] : [{ layer, bytes }];
      }),
    };
    return encode(answer);
  }

  /** Errors: NOT_FOUND, those of the depot. */
  async #find(image: string): Promise<Given> {
    const nowMs = performance.now();
    const known = this.#found.get(image);
    if (known !== undefined && known.untilMs > nowMs) return known.given;
    this.#found.delete(image);
    const given = await this.#lookUp(image);
    if (!given.whole) return given;
    this.#found.set(image, { given, untilMs: nowMs + foundMs });
    const [oldest] = this.#found.keys();
    if (this.#found.size > foundMax && oldest !== undefined) this.#found.delete(oldest);
    return given;
  }

  async #lookUp(image: string): Promise<Given> {
    const { depot } = this.#parts;
    const local = await depot.find(image);
    if (local !== undefined && (await depot.canExchange())) {
      const { id, layers, bytes, tags, digests } = local;
      const bare = digests.map((name) => name.slice(name.indexOf("@") + 1));
      return { id, layers, bytes, whole: true, names: [id, ...tags, ...digests, ...bare] };
    }
    const id = image.slice(image.indexOf("@") + 1);
    const recipe = depot.recipe(id);
    if (recipe !== undefined) {
      return { id, layers: recipe.layers, bytes: 0, whole: false, names: [id] };
    }
    throw new GamError("NOT_FOUND", `Cannot give image "${image}": this host has none`);
  }

  /** Errors: REFUSED. */
  #insist(from: NodeId, id: string, names: readonly string[]): void {
    const { mesh, view } = this.#parts;
    if ((this.#guests.get(`${id} ${from}`) ?? 0) > performance.now()) return;
    const sender = mesh.sender(from);
    const reason =
      sender === undefined
        ? "it is not connected"
        : refusalOfImage(view(), { id: from, sender }, names);
    if (reason === undefined) return;
    throw new GamError("REFUSED", `Cannot give image ${id} to node "${from}": ${reason}`);
  }

  /** One image leaves the engine at a time for all that ask. What they lack in addition comes in another round. */
  #takeOut(id: string, lacks: readonly string[]): void {
    const { depot, log } = this.#parts;
    const wanted = this.#opening.get(id);
    if (wanted !== undefined) {
      for (const layer of lacks) wanted.add(layer);
      return;
    }
    if (performance.now() < (this.#failedMs.get(id) ?? 0) + retryMs) return;
    this.#failedMs.delete(id);
    const wants = new Set(lacks);
    this.#opening.set(id, wants);
    depot
      .takeOut(id, (layer) => wants.has(layer))
      .catch((thrown: unknown) => {
        rethrowInvariant(thrown);
        this.#failedMs.set(id, performance.now());
        log.warn(
          { image: id, reason: messageOf(thrown) },
          "Could not take an image out of the engine",
        );
      })
      .finally(() => this.#opening.delete(id));
  }

  async #send(from: NodeId, header: Uint8Array, stream: Duplex): Promise<void> {
    const { depot } = this.#parts;
    const { image, layer } = checkLayerQuestion(decode(header), "question about a layer");
    const found = await this.#find(image);
    this.#insist(from, found.id, found.names);
    if (!found.layers.includes(layer)) {
      throw new GamError("NOT_FOUND", `Cannot give layer ${layer}: image "${image}" has none such`);
    }
    // The host that gets the layer now gives it to the others.
    if (this.#uploads.some((one) => one.layer === layer && one.to !== from)) {
      throw new GamError("IN_USE", `Cannot give layer ${layer}: it is being sent to another host`);
    }
    if (!this.#hasTurn(from)) {
      throw new GamError("IN_USE", `Cannot give layer ${layer}: others are being sent`);
    }
    const upload = { to: from, layer };
    this.#uploads.push(upload);
    try {
      const file = await depot.cache.read(layer);
      stream.resume();
      for await (const piece of file.createReadStream({ highWaterMark: pieceBytes })) {
        await this.#rate.take(piece.length);
        if (stream.destroyed) return;
        if (!stream.write(piece)) await drained(stream);
      }
      stream.end();
    } finally {
      this.#uploads.splice(this.#uploads.indexOf(upload), 1);
    }
  }

  /** A host that gets a layer already leaves the next turn to hosts that wait. */
  #hasTurn(from: NodeId): boolean {
    const nowMs = performance.now();
    for (const [peer, atMs] of this.#waitingMs) {
      if (nowMs - atMs > waitingMs) this.#waitingMs.delete(peer);
    }
    const others = [...this.#waitingMs.keys()].some((peer) => peer !== from);
    const isFull = this.#uploads.length >= uploadsMax;
    if (isFull || (others && this.#uploads.some(({ to }) => to === from))) {
      this.#waitingMs.set(from, nowMs);
      return false;
    }
    this.#waitingMs.delete(from);
    return true;
  }
}

/** Resolves when the stream takes more, or has ended. */
async function drained(stream: Duplex): Promise<void> {
  const ended = new AbortController();
  const signal = AbortSignal.any([ended.signal, AbortSignal.timeout(stalledMs)]);
  const waits = ["drain", "close"].map((event) => once(stream, event, { signal }));
  try {
    await Promise.race(waits);
  } finally {
    ended.abort();
    await Promise.allSettled(waits);
  }
}
