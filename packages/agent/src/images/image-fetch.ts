/**
 * Image fetch: brings one image from other hosts into this host's engine.
 *
 *   ask who has what ──> fetch layers, each checked by its digest ──> load
 *      ^      '── a peer takes it out of its engine           |
 *      '──────────── every moment, until nothing lacks ───────'
 *
 * Which layer comes next and from whom is decided in layer-choice.ts. Believes of a peer what a digest proves: the
 * id is the digest of the config, and the config names the layers. Only a manager is believed which id belongs to a
 * registry's digest, because no digest proves that here. A peer that sends other bytes is left alone.
 */
import type { Duplex } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { decode, encode, GamError, messageOf, type NodeId, rethrowInvariant } from "@gam/core";
import type { Mesh } from "@gam/mesh";
import { chooseLayers, type LayerSource, type LayerTransfer, openingOrder } from "@gam/peer";
import { layerBytesMax, layersIn } from "@gam/runtime";
import { pinnedDigest } from "@gam/state";
import type { ShellLog } from "../logging/shell-log.ts";
import type { Depot } from "./depot.ts";
import {
  checkAnswer,
  type ImageAnswer,
  type ImageQuestion,
  layers,
  questions,
} from "./image-question.ts";

const answerMs = 5_000;
/** A round does not wait longer for slow peers. */
const roundMs = 500;
/** Between two rounds of questions, while nothing changes and at most. */
const pollMsMin = 20;
const pollMsMax = 250;
/** Without a new byte for this long, the registry is asked. */
const patienceMs = 20_000;
/** Another holder takes the image out of its engine when nothing has come for this long. */
const reopenMs = 5_000;
/** A peer that failed or was busy is not asked for layers for this long. */
const pauseMs = 200;
/** Another layer is asked of it meanwhile. */
const layerPauseMs = 1_000;
const transfersMax = 3;
const fromPeerMax = 2;
/** Rounds in which some peer may still answer that it has the image, such as one whose state is older. */
const emptyRoundsMax = 4;

export interface ImageFetchParts {
  readonly self: NodeId;
  readonly depot: Depot;
  readonly mesh: Pick<Mesh, "request" | "stream">;
  /** Connected peers to ask now, without those that are left alone. */
  readonly peers: () => readonly NodeId[];
  readonly isManager: (peer: NodeId) => boolean;
  /** The peer sent what its digest disproves. It is left alone from now on. */
  readonly lied: (peer: NodeId, what: string) => void;
  readonly log: ShellLog;
}

/** How a fetch ended. `none`: no peer has it, or gives it. `full`: it does not fit on the disk. */
export type Fetched =
  | { readonly kind: "loaded"; readonly id: string; readonly bytes: number }
  | { readonly kind: "none"; readonly reason: string }
  | { readonly kind: "full"; readonly reason: string };

export class ImageFetch {
  readonly #parts: ImageFetchParts;
  readonly #image: string;
  readonly #answers = new Map<NodeId, ImageAnswer>();
  readonly #underWay = new Map<string, LayerTransfer>();
  /** By peer, and by peer and layer. */
  readonly #notBeforeMs = new Map<string, number>();
  /** Peers that owe an answer. */
  readonly #asking = new Set<NodeId>();
  #id: string | undefined;
  #config: Uint8Array | undefined;
  #full: string | undefined;
  #bytes = 0;
  #progressMs = performance.now();
  #pollMs = pollMsMin;
  #wake: () => void = () => undefined;

  constructor(image: string, parts: ImageFetchParts) {
    this.#image = image;
    this.#parts = parts;
  }

  /** Bytes that have come so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Errors: those of the depot. */
  async run(): Promise<Fetched> {
    const { depot } = this.#parts;
    let emptyRounds = 0;
    let held: number | undefined;
    for (;;) {
      await this.#askAll();
      const id = this.#id;
      if (id === undefined) {
        if (this.#asking.size === 0) emptyRounds += 1;
        const isPinned = pinnedDigest(this.#image) !== undefined;
        const isOver = !isPinned && this.#asking.size === 0;
        if (isOver || emptyRounds >= emptyRoundsMax || this.#parts.peers().length === 0) {
          return { kind: "none", reason: "no other host has it" };
        }
        await pause(pollMsMax);
        continue;
      }
      // It may be here under another name.
      if (this.#underWay.size === 0 && (await depot.find(id)) !== undefined) {
        return { kind: "loaded", id, bytes: this.#bytes };
      }
      const wanted = this.#layers();
      held ??= wanted.length === 0 ? undefined : await depot.held(wanted);
      const lacking = wanted.slice(held ?? 0).filter((layer) => !depot.cache.has(layer));
      depot.cache.use(wanted);
      depot.note(id, { layers: wanted, ...(this.#config && { config: this.#config }) });
      if (this.#config !== undefined && lacking.length === 0 && this.#underWay.size === 0) {
        const problem = await this.#noRoom(wanted.slice(held ?? 0), 2);
        if (problem !== undefined) return { kind: "full", reason: problem };
        await depot.load(id, this.#config);
        return { kind: "loaded", id, bytes: this.#bytes };
      }
      this.#full ??= await this.#noRoom(lacking, 3);
      if (this.#full !== undefined && this.#underWay.size === 0) {
        return { kind: "full", reason: this.#full };
      }
      if (this.#full === undefined) this.#begin(id, lacking);
      await this.#moment();
      if (performance.now() - this.#progressMs > patienceMs && this.#underWay.size === 0) {
        return { kind: "none", reason: "the hosts that have it give nothing" };
      }
    }
  }

  /** The layers of the image: proved by the config, or as a holder says. */
  #layers(): readonly string[] {
    if (this.#config !== undefined && this.#id !== undefined)
      return layersIn(this.#config, this.#id);
    const answers = [...this.#answers.values()];
    return (answers.find(({ whole }) => whole) ?? answers[0])?.layers ?? [];
  }

  /** Asks all peers that owe no answer, and waits a moment for the answers. */
  async #askAll(): Promise<void> {
    const { depot, peers } = this.#parts;
    const asked = peers();
    for (const peer of this.#answers.keys()) if (!asked.includes(peer)) this.#answers.delete(peer);
    const lacks = this.#layers().filter((layer) => !depot.cache.has(layer));
    const holders = [...this.#answers].filter(([, { whole }]) => whole).map(([peer]) => peer);
    const silentMs = performance.now() - this.#progressMs;
    const openers = openingOrder(this.#id ?? "", holders).slice(
      0,
      1 + Math.floor(silentMs / reopenMs),
    );
    const asks = asked
      .filter((peer) => !this.#asking.has(peer))
      .map((peer) =>
        this.#offer(peer, { image: this.#image, lacks, open: openers.includes(peer) }),
      );
    const ended = new AbortController();
    const { signal } = ended;
    await Promise.race([
      Promise.all(asks),
      pause(roundMs, undefined, { signal }).catch(rethrowInvariant),
    ]);
    ended.abort();
  }

  /** Asks one peer. A peer that is only slow keeps its last answer. */
  async #offer(peer: NodeId, question: ImageQuestion): Promise<void> {
    this.#asking.add(peer);
    try {
      this.#take(peer, await this.#ask(peer, question));
    } catch (thrown) {
      rethrowInvariant(thrown);
      const isSlow = thrown instanceof GamError && thrown.code === "UNREACHABLE";
      if (!isSlow) this.#answers.delete(peer);
      const fields = { peer, image: this.#image, reason: messageOf(thrown) };
      this.#parts.log.debug(fields, "A peer did not offer an image");
    } finally {
      this.#asking.delete(peer);
    }
  }

  async #ask(peer: NodeId, question: ImageQuestion): Promise<ImageAnswer> {
    const body = encode(question);
    const bytes = await this.#parts.mesh.request(peer, {
      name: questions,
      body,
      timeoutMs: answerMs,
    });
    return checkAnswer(decode(bytes), "answer about an image");
  }

  #take(peer: NodeId, answer: ImageAnswer): void {
    const { isManager, lied } = this.#parts;
    const isProved = answer.id === (pinnedDigest(this.#image) ?? this.#image);
    this.#id ??= isProved || isManager(peer) ? answer.id : undefined;
    if (answer.id !== this.#id) return;
    const known = this.#answers.get(peer);
    if (answer.opening || (known?.ready.length ?? 0) < answer.ready.length)
      this.#progressMs = performance.now();
    this.#answers.set(peer, answer);
    if (answer.config === undefined || this.#config !== undefined) return;
    try {
      layersIn(answer.config, answer.id);
      this.#config = answer.config;
    } catch (thrown) {
      rethrowInvariant(thrown);
      this.#answers.delete(peer);
      lied(peer, messageOf(thrown));
    }
  }

  #begin(id: string, lacking: readonly string[]): void {
    const { self, depot } = this.#parts;
    const nowMs = performance.now();
    const sources: LayerSource[] = [...this.#answers]
      .filter(([peer]) => (this.#notBeforeMs.get(peer) ?? 0) <= nowMs)
      .map(([peer, { ready }]) => ({ peer, has: this.#offered(peer, ready, nowMs) }));
    const chosen = chooseLayers({
      self,
      // A transfer may have ended since.
      lacking: lacking.filter((layer) => !this.#underWay.has(layer) && !depot.cache.has(layer)),
      underWay: [...this.#underWay.values()],
      ...{ sources, transfersMax, fromPeerMax },
    });
    for (const transfer of chosen) {
      this.#underWay.set(transfer.layer, transfer);
      void this.#fetch(id, transfer).finally(() => {
        this.#underWay.delete(transfer.layer);
        this.#wake();
      });
    }
  }

  /** Without layers for which the peer has just told this host to wait. */
  #offered(peer: NodeId, ready: ImageAnswer["ready"], nowMs: number): ReadonlySet<string> {
    const layers = ready.map(({ layer }) => layer);
    return new Set(
      layers.filter((layer) => (this.#notBeforeMs.get(`${peer} ${layer}`) ?? 0) <= nowMs),
    );
  }

  async #fetch(id: string, { layer, from }: LayerTransfer): Promise<void> {
    const { depot, mesh, lied, log } = this.#parts;
    const offered = this.#answers.get(from)?.ready.find((one) => one.layer === layer);
    try {
      const stream = await mesh.stream(from, layers, encode({ image: id, layer }));
      stream.end();
      const bytesMax = offered?.bytes ?? layerBytesMax;
      await depot.cache.add(this.#counted(stream), { digest: layer, bytesMax });
    } catch (thrown) {
      rethrowInvariant(thrown);
      const code = thrown instanceof GamError ? thrown.code : undefined;
      this.#notBeforeMs.set(from, performance.now() + pauseMs);
      // A peer that is busy with others is no reason to give up.
      if (code === "IN_USE") {
        this.#progressMs = performance.now();
        this.#notBeforeMs.set(`${from} ${layer}`, performance.now() + layerPauseMs);
      }
      if (code === "BAD_FRAME") lied(from, messageOf(thrown));
      else if (code === "DISK_FAILED") this.#full = messageOf(thrown);
      else
        log.debug({ peer: from, layer, reason: messageOf(thrown) }, "A peer did not send a layer");
    }
  }

  async *#counted(stream: Duplex): AsyncGenerator<Uint8Array> {
    for await (const piece of stream as AsyncIterable<Uint8Array>) {
      this.#bytes += piece.length;
      this.#progressMs = performance.now();
      yield piece;
    }
  }

  /** Waits for the end of a transfer, or a moment. */
  async #moment(): Promise<void> {
    const ended = new AbortController();
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    const wait = pause(this.#pollMs, undefined, { signal: ended.signal }).catch(rethrowInvariant);
    this.#pollMs = Math.min(pollMsMax, this.#pollMs * 2);
    await Promise.race([woken, wait]);
    ended.abort();
  }

  /** Returns: why the layers do not fit, `times` as often as they are here; undefined if they do. */
  async #noRoom(lacking: readonly string[], times: number): Promise<string | undefined> {
    const { depot } = this.#parts;
    const sizes = new Map(
      [...this.#answers.values()]
        .flatMap(({ ready }) => ready)
        .map((row) => [row.layer, row.bytes]),
    );
    const bytes = lacking.reduce((sum, layer) => {
      return sum + (sizes.get(layer) ?? depot.cache.bytesOf(layer) ?? 0);
    }, 0);
    const { fits, freeBytes } = await depot.roomFor(bytes * times);
    if (fits) return undefined;
    const [needed, free] = [bytes * times, freeBytes].map(
      (value) => `${Math.ceil(value / 1e6)} MB`,
    );
    return `it needs ${needed} of disk, and ${free} are free. Free some with "gam image prune"`;
  }
}
