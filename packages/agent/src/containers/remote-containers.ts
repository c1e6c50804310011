/**
 * Remote containers: connections to the containers of other hosts, over the mesh.
 *
 * Decides which peers may ask about this host's containers: managers only. What they may ask is decided call by
 * call in @gam/api (ContainerServer).
 */
import type { Duplex } from "node:stream";
import { ContainerServer } from "@gam/api";
import { GamError, type NodeId } from "@gam/core";
import type { Mesh } from "@gam/mesh";
import { roleOf } from "@gam/peer";
import type { View } from "@gam/state";

const name = "containers";

export interface RemoteContainersParts {
  readonly mesh: Pick<Mesh, "stream" | "handleStream" | "sender" | "refuse">;
  readonly view: () => View;
  /** The socket of this host's engine. */
  readonly engine: string;
}

export class RemoteContainers {
  readonly #parts: RemoteContainersParts;
  readonly #server: ContainerServer;

  /** Starts to answer other nodes. */
  constructor(parts: RemoteContainersParts) {
    this.#parts = parts;
    this.#server = new ContainerServer(parts.engine);
    parts.mesh.handleStream(name, (from, _header, stream) => this.#serve(from, stream));
  }

  /** Resolves to a connection to that node's ContainerServer. Errors: those of Mesh.stream(); REFUSED. */
  async connect(node: NodeId): Promise<Duplex> {
    return await this.#parts.mesh.stream(node, name, new Uint8Array());
  }

  /** Ends all calls of other nodes. */
  close(): void {
    this.#server.close();
  }

  #serve(from: NodeId, stream: Duplex): void {
    const { mesh, view } = this.#parts;
    const sender = mesh.sender(from);
    if (sender === undefined || roleOf(view(), { id: from, sender }) !== "manager") {
      mesh.refuse(from, "containers are for managers");
      throw new GamError("REFUSED", "Cannot ask about containers of another host as a worker");
    }
    this.#server.accept(stream);
  }
}
