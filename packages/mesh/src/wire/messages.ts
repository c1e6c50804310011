/**
 * Messages: best effort, in order, one long-lived stream per peer and protocol.
 *
 * Decides what happens when a peer reads too slowly (what does not fit is dropped and counted) and
 * when its connection is gone (the queue is dropped: senders repeat their messages, and old ones
 * would only be in the way). A burst within one turn of the event loop is one write.
 */
import type { NodeId } from "@gam/core";
import type { Stream } from "@libp2p/interface";
import type { Limits } from "../trust/limits.ts";
import { Channel } from "./channel.ts";
import { frameBytes } from "./frame.ts";
import type { Link, Links } from "./link.ts";

export interface Traffic {
  sentFrames: number;
  sentBytes: number;
  droppedFrames: number;
  receivedFrames: number;
}

export interface MessagesOptions {
  readonly links: Links;
  readonly limits: Limits;
  readonly nowMs: () => number;
  readonly onMessage: (link: Link, protocol: string, body: Uint8Array) => void;
  readonly onRubbish: (link: Link, reason: string) => void;
  /** The body in the version `to`, for an other end that speaks no newer one. */
  readonly translate: (body: Uint8Array, from: string, to: string) => Uint8Array;
}

/** One write. Larger ones gain nothing and hold up the other streams of the connection. */
const writeBytesMax = 256 * 1024;

export class Messages {
  readonly #options: MessagesOptions;
  readonly #outboxes = new Map<NodeId, Map<string, Outbox>>();
  readonly #traffic = new Map<NodeId, Traffic>();

  constructor(options: MessagesOptions) {
    this.#options = options;
  }

  /**
   * Returns whether it was queued. Shape: `protocols` are libp2p protocol ids, that of `body` first; the first that
   * the other end speaks is used.
   */
  send(to: NodeId, protocols: readonly [string, ...string[]], body: Uint8Array): boolean {
    const [protocol] = protocols;
    let outboxes = this.#outboxes.get(to);
    if (outboxes === undefined) {
      if (this.#options.links.to(to) === undefined) {
        this.trafficOf(to).droppedFrames += 1;
        return false;
      }
      outboxes = new Map();
      this.#outboxes.set(to, outboxes);
    }
    let outbox = outboxes.get(protocol);
    if (outbox === undefined) {
      outbox = new Outbox(this.#options, { to, protocols, traffic: this.trafficOf(to) });
      outboxes.set(protocol, outbox);
    }
    return outbox.push(body);
  }

  /** Takes the stream of that protocol that a peer opened. */
  accept(
    stream: Stream,
    { protocol, link, bodyBytesMax }: { protocol: string; link: Link; bodyBytesMax: number },
  ): void {
    const { links, nowMs, onMessage, onRubbish } = this.#options;
    const traffic = this.trafficOf(link.nodeId);
    new Channel(stream, {
      bodyBytesMax,
      onHeard: () => links.heard(link, nowMs()),
      onFrame: (body) => {
        traffic.receivedFrames += 1;
        onMessage(link, protocol, body);
      },
      onRubbish: (error) => onRubbish(link, error.message),
    });
  }

  /** Call it when the peer's last link is gone. */
  forget(nodeId: NodeId): void {
    for (const outbox of this.#outboxes.get(nodeId)?.values() ?? []) outbox.clear();
    this.#outboxes.delete(nodeId);
  }

  trafficOf(nodeId: NodeId): Traffic {
    let traffic = this.#traffic.get(nodeId);
    if (traffic === undefined) {
      traffic = { sentFrames: 0, sentBytes: 0, droppedFrames: 0, receivedFrames: 0 };
      this.#traffic.set(nodeId, traffic);
    }
    return traffic;
  }
}

interface OutboxOptions {
  readonly to: NodeId;
  readonly protocols: readonly [string, ...string[]];
  readonly traffic: Traffic;
}

class Outbox {
  readonly #to: NodeId;
  readonly #protocols: readonly [string, ...string[]];
  readonly #options: MessagesOptions;
  readonly #traffic: Traffic;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #channel: Channel | undefined;
  /** The protocol id that the other end agreed to. */
  #agreed = "";
  #link: Link | undefined;
  #opening = false;
  #scheduled = false;

  constructor(options: MessagesOptions, { to, protocols, traffic }: OutboxOptions) {
    this.#options = options;
    this.#to = to;
    this.#protocols = protocols;
    this.#traffic = traffic;
  }

  push(body: Uint8Array): boolean {
    if (this.#queuedBytes + frameBytes(body) > this.#options.limits.queueBytesMax) {
      this.#traffic.droppedFrames += 1;
      return false;
    }
    this.#queue.push(body);
    this.#queuedBytes += frameBytes(body);
    if (!this.#scheduled) {
      this.#scheduled = true;
      queueMicrotask(() => {
        this.#scheduled = false;
        this.#flush();
      });
    }
    return true;
  }

  clear(): void {
    this.#traffic.droppedFrames += this.#queue.length;
    this.#queue = [];
    this.#queuedBytes = 0;
  }

  #flush(): void {
    if (this.#queue.length === 0 || this.#opening) return;
    const link = this.#options.links.to(this.#to);
    if (link === undefined) return this.clear();
    if (this.#channel !== undefined && (this.#link !== link || !this.#channel.open)) {
      this.#channel.close();
      this.#channel = undefined;
    }
    if (this.#channel === undefined) return this.#open(link);
    while (this.#queue.length > 0 && !this.#channel.blocked) {
      const batch = this.#batch();
      const [own] = this.#protocols;
      const { translate } = this.#options;
      const written =
        this.#agreed === own ? batch : batch.map((body) => translate(body, own, this.#agreed));
      if (!this.#channel.send(written)) {
        this.#traffic.droppedFrames += batch.length;
        return;
      }
      this.#traffic.sentFrames += batch.length;
      for (const body of batch) this.#traffic.sentBytes += body.length;
    }
  }

  #batch(): Uint8Array[] {
    let count = 0;
    let bytes = 0;
    for (const body of this.#queue) {
      if (count > 0 && bytes + frameBytes(body) > writeBytesMax) break;
      count += 1;
      bytes += frameBytes(body);
    }
    this.#queuedBytes -= bytes;
    if (count === this.#queue.length) {
      const batch = this.#queue;
      this.#queue = [];
      return batch;
    }
    return this.#queue.splice(0, count);
  }

  #open(link: Link): void {
    this.#opening = true;
    const signal = AbortSignal.timeout(this.#options.limits.helloMs);
    link.connection.newStream([...this.#protocols], { signal }).then(
      (stream) => {
        this.#opening = false;
        this.#agreed = stream.protocol;
        this.#link = link;
        this.#channel = new Channel(stream, {
          bodyBytesMax: 0,
          onFrame: () =>
            this.#options.onRubbish(link, "sent data on a stream that only this peer writes to"),
          onDrain: () => this.#flush(),
          onRubbish: (error) => this.#options.onRubbish(link, error.message),
        });
        this.#flush();
      },
      () => {
        // The connection was lost meanwhile, or the peer refuses this protocol. The next message
        // tries again.
        this.#opening = false;
        if (this.#options.links.to(this.#to) === link) this.clear();
        else this.#flush();
      },
    );
  }
}
