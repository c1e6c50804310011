/** Fake mesh: streams and requests between hosts in one process. */
import assert from "node:assert/strict";
import { type Duplex, duplexPair } from "node:stream";
import { GamError, type NodeId } from "@gam/core";
import type { Mesh } from "@gam/mesh";

type Requests = Parameters<Mesh["handle"]>[1];
type Streams = Parameters<Mesh["handleStream"]>[1];

export class FakeMesh {
  /** Hosts that do not answer. */
  readonly silent = new Set<NodeId>();
  /** What hosts have refused: "host1: reason". */
  readonly refusals: string[] = [];
  /** Cuts every stream after so many bytes that its opener has sent or received. */
  cutAfter = Number.POSITIVE_INFINITY;
  readonly #requests = new Map<string, Requests>();
  readonly #streams = new Map<string, Streams>();

  /** Returns: the mesh as the host sees it. */
  of(self: NodeId) {
    return {
      handle: (name: string, handler: Requests) => {
        this.#requests.set(`${self} ${name}`, handler);
        return () => undefined;
      },
      handleStream: (name: string, handler: Streams) => {
        this.#streams.set(`${self} ${name}`, handler);
        return () => undefined;
      },
      request: async (to: NodeId, { name, body }: { name: string; body: Uint8Array }) => {
        this.#reach(to);
        const handler = this.#requests.get(`${to} ${name}`);
        assert.ok(handler !== undefined);
        return await handler(self, body);
      },
      stream: async (to: NodeId, name: string, header: Uint8Array) => {
        this.#reach(to);
        return this.#open(self, to, { name, header });
      },
      refuse: (node: NodeId, reason: string) => {
        this.refusals.push(`${node}: ${reason}`);
      },
      sender: (id: NodeId) => (this.silent.has(id) ? undefined : ({ role: "manager" } as never)),
    };
  }

  #reach(to: NodeId): void {
    if (this.silent.has(to)) throw new GamError("UNREACHABLE", `Cannot reach ${to}`);
  }

  #open(from: NodeId, to: NodeId, { name, header }: { name: string; header: Uint8Array }): Duplex {
    const [near, far] = duplexPair();
    const handler = this.#streams.get(`${to} ${name}`);
    assert.ok(handler !== undefined);
    near.on("error", () => undefined);
    far.on("error", () => undefined);
    let bytes = 0;
    const cut = (): void => {
      near.destroy(new GamError("UNREACHABLE", `Cannot reach ${to}: it was lost`));
      far.destroy(new GamError("UNREACHABLE", `Cannot reach ${from}: it was lost`));
    };
    for (const side of [near, far]) {
      const write = side.write.bind(side) as (piece: Uint8Array) => boolean;
      side.write = ((piece: Uint8Array) => {
        bytes += piece.length;
        if (bytes <= this.cutAfter) return write(piece);
        cut();
        return false;
      }) as typeof side.write;
    }
    // Each end learns when the other one has hung up.
    near.once("close", () => far.destroy());
    far.once("close", () => {
      if (!near.readableEnded && !far.writableFinished) near.destroy();
    });
    (async () => await handler(from, header, far))().catch((thrown: Error) => near.destroy(thrown));
    return near;
  }
}
