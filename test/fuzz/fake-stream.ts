/** Fake stream and connection: what libp2p passes to the mesh, without libp2p, so that it catches no error. */

import type { Connection, Stream } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import type { Identity } from "../../packages/mesh/src/trust/identity.ts";

type Listener = (event: { data: Uint8Array; error?: Error }) => void;

/** A logger for libp2p that prints nothing. */
const silent = Object.assign(() => undefined, {
  enabled: false,
  error: () => undefined,
  trace: () => undefined,
  newScope: (): unknown => silent,
});

export class FakeStream {
  readonly writableNeedsDrain = false;
  readonly log = silent;
  readonly sent: Uint8Array[] = [];
  status = "open";
  readonly #listeners = new Map<string, Listener[]>();

  /** The part of libp2p's stream that the mesh uses. */
  get stream(): Stream {
    return this as unknown as Stream;
  }

  addEventListener(name: string, listener: Listener): void {
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), listener]);
  }

  send(bytes: Uint8Array): boolean {
    this.sent.push(bytes);
    return true;
  }

  async close(): Promise<void> {
    this.#end();
  }

  abort(error: Error): void {
    this.#end(error);
  }

  /** The other end sends this. Throws what the listeners throw. */
  bring(data: Uint8Array): void {
    if (this.status === "open") this.#dispatch("message", { data });
  }

  /** The other end closes. */
  hangUp(): void {
    this.#end();
  }

  #end(error?: Error): void {
    if (this.status !== "open") return;
    this.status = "closed";
    this.#dispatch("close", { data: new Uint8Array(), ...(error && { error }) });
  }

  #dispatch(name: string, event: Parameters<Listener>[0]): void {
    for (const listener of this.#listeners.get(name) ?? []) listener(event);
  }
}

let connections = 0;

/** A connection whose other end has proved that it is `remote`. */
export function fakeConnection(remote: Identity, stream?: FakeStream): Connection {
  connections += 1;
  const fake = {
    id: `fake-${connections}`,
    direction: "inbound",
    status: "open",
    remotePeer: peerIdFromPrivateKey(remote.privateKey),
    remoteAddr: multiaddr("/ip4/192.0.2.1/tcp/7946"),
    abort: () => undefined,
    close: async () => undefined,
    newStream: async () => stream,
  };
  return fake as unknown as Connection;
}
