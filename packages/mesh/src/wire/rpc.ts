/**
 * Rpc: requests to a peer, with answers, over Messages.
 *
 * Decides when a request fails: at its timeout, or when the peer's last connection is gone. A later
 * answer is dropped. The peer may have handled a request that failed here.
 */
import {
  check,
  decode,
  type ErrorCode,
  encode,
  GamError,
  messageOf,
  type NodeId,
  rethrowInvariant,
} from "@gam/core";
import type { Limits } from "../trust/limits.ts";

export type RequestHandler = (from: NodeId, body: Uint8Array) => Promise<Uint8Array> | Uint8Array;

/** What to ask of a peer, and how long to wait for the answer. */
export interface RpcRequest {
  readonly name: string;
  readonly body: Uint8Array;
  readonly timeoutMs: number;
}

export interface RpcOptions {
  readonly limits: Limits;
  /** Returns whether it was queued. */
  readonly send: (to: NodeId, body: Uint8Array) => boolean;
}

type Frame =
  | { kind: "ask"; id: number; name: string; body: Uint8Array }
  | { kind: "answer"; id: number; body: Uint8Array }
  | { kind: "failed"; id: number; code: ErrorCode; message: string };

interface Pending {
  readonly to: NodeId;
  readonly resolve: (body: Uint8Array) => void;
  readonly reject: (error: GamError) => void;
  readonly timer: NodeJS.Timeout;
}

const id = check.integer(0);
const shown = 4096;

export class Rpc {
  readonly #options: RpcOptions;
  readonly #handlers = new Map<string, RequestHandler>();
  readonly #pending = new Map<number, Pending>();
  /** Open requests to each peer. */
  readonly #asking = new Map<NodeId, number>();
  /** Requests of each peer that are being answered here. */
  readonly #answering = new Map<NodeId, number>();
  readonly #check: check.Check<Frame>;
  #ids = 0;

  constructor(options: RpcOptions) {
    this.#options = options;
    const body = check.bytes(options.limits.rpcBytesMax);
    this.#check = check.union<Frame>({
      ask: check.object({ kind: check.literal("ask"), id, name: check.string(64), body }),
      answer: check.object({ kind: check.literal("answer"), id, body }),
      failed: check.object({
        kind: check.literal("failed"),
        id,
        code: codeCheck,
        message: check.string(shown),
      }),
    });
  }

  handle(name: string, handler: RequestHandler): () => void {
    this.#handlers.set(name, handler);
    return () => this.#handlers.delete(name);
  }

  /** Errors: UNREACHABLE (not connected, too slow, too many under way), or what the handler threw. */
  request(to: NodeId, { name, body, timeoutMs }: RpcRequest): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const why = this.#obstacle(to, body);
      if (why !== undefined) return reject(unreachable(to, why));
      this.#ids += 1;
      const number = this.#ids;
      const timer = setTimeout(() => {
        this.#settle(number)?.reject(unreachable(to, `no answer in ${timeoutMs / 1000} s`));
      }, timeoutMs);
      timer.unref();
      this.#pending.set(number, { to, resolve, reject, timer });
      count(this.#asking, to, 1);
      const frame: Frame = { kind: "ask", id: number, name, body };
      if (!this.#options.send(to, encode(frame))) {
        this.#settle(number)?.reject(unreachable(to, "it is not connected, or too slow"));
      }
    });
  }

  /** Errors: BAD_FRAME, for the caller to cut the peer off. */
  received(from: NodeId, bytes: Uint8Array): void {
    const frame = this.#check(decode(bytes), "rpc");
    if (frame.kind === "ask") return void this.#answer(from, frame);
    const pending = this.#pending.get(frame.id);
    // A late answer, or one to this peer's process before a restart. A peer may not answer for another.
    if (pending === undefined || pending.to !== from) return;
    this.#settle(frame.id);
    if (frame.kind === "answer") pending.resolve(frame.body);
    else pending.reject(new GamError(frame.code, frame.message));
  }

  /** Call it when the last connection to that peer is gone. */
  lost(peer: NodeId): void {
    for (const [number, pending] of this.#pending) {
      if (pending.to !== peer) continue;
      this.#settle(number)?.reject(unreachable(peer, "its connection was lost"));
    }
  }

  #obstacle(to: NodeId, body: Uint8Array): string | undefined {
    const { requestsMax, rpcBytesMax } = this.#options.limits;
    if (body.length > rpcBytesMax)
      return `request has ${body.length} bytes, at most ${rpcBytesMax} allowed`;
    const open = this.#asking.get(to) ?? 0;
    return open >= requestsMax ? `${open} requests are open already` : undefined;
  }

  #settle(number: number): Pending | undefined {
    const pending = this.#pending.get(number);
    if (pending === undefined) return undefined;
    this.#pending.delete(number);
    count(this.#asking, pending.to, -1);
    clearTimeout(pending.timer);
    return pending;
  }

  async #answer(from: NodeId, ask: Frame & { kind: "ask" }): Promise<void> {
    const busy = this.#answering.get(from) ?? 0;
    const handler = this.#handlers.get(ask.name);
    let frame: Frame;
    if (handler === undefined) {
      frame = failed(ask.id, new GamError("NOT_SUPPORTED", `Cannot answer "${ask.name}": unknown`));
    } else if (busy >= this.#options.limits.requestsMax) {
      frame = failed(
        ask.id,
        new GamError("REFUSED", `Cannot answer "${ask.name}": ${busy} requests are waiting`),
      );
    } else {
      count(this.#answering, from, 1);
      try {
        frame = { kind: "answer", id: ask.id, body: await handler(from, ask.body) };
      } catch (thrown) {
        rethrowInvariant(thrown);
        frame = failed(ask.id, thrown);
      }
      count(this.#answering, from, -1);
    }
    this.#options.send(from, encode(frame));
  }
}

/** A newer peer may send codes that this one does not know; the message is kept. */
export const codeCheck: check.Check<ErrorCode> = (value, path) => {
  const code = check.string(64)(value, path);
  return errorCodes.has(code) ? (code as ErrorCode) : "REFUSED";
};

const errorCodes: ReadonlySet<string> = new Set<ErrorCode>([
  "BAD_REQUEST",
  "BAD_TOKEN",
  "ENGINE_FAILED",
  "ENGINE_MISSING",
  "IN_USE",
  "NAME_IN_USE",
  "NOT_FOUND",
  "NOT_MEMBER",
  "NOT_SUPPORTED",
  "NO_LEADER",
  "REFUSED",
  "STALE_VERSION",
  "UNREACHABLE",
]);

function count(counts: Map<NodeId, number>, peer: NodeId, change: 1 | -1): void {
  const now = (counts.get(peer) ?? 0) + change;
  if (now === 0) counts.delete(peer);
  else counts.set(peer, now);
}

function failed(number: number, thrown: unknown): Frame {
  const code = thrown instanceof GamError ? thrown.code : "REFUSED";
  return { kind: "failed", id: number, code, message: messageOf(thrown).slice(0, shown) };
}

/** Returns: the part of such a message that says why, for places that name the host themselves. */
export function whyUnreachable(message: string): string {
  return message.replace(/^Cannot reach node "\w+": /, "");
}

function unreachable(to: NodeId, why: string): GamError {
  return new GamError("UNREACHABLE", `Cannot reach node "${to}": ${why}`);
}
