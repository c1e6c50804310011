/** Rig: a server over a fake door, with a fake engine on each host, on its own sockets. */
import { mkdtemp, rm } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NodeId } from "@gam/core";
import { FakeEngineServer } from "@gam/engine/testing";
import { clusterSpecDefault } from "@gam/state";
import { ContainerServer } from "../hosts/container-server.ts";
import { ApiServer } from "../server.ts";
import { FakeDoor, nodeCalled } from "./fake-door.ts";

export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of any shape.
  readonly body: any;
}

/** A host whose containers are reached through the mesh. */
export interface FarHost {
  readonly id: NodeId;
  readonly engine: FakeEngineServer;
  readonly server: ContainerServer;
}

export class Rig {
  readonly door: FakeDoor;
  readonly engine: FakeEngineServer;
  /** host2, host3 and so on. */
  readonly far: readonly FarHost[];
  readonly socketPath: string;
  readonly #folder: string;
  readonly #server: ApiServer;

  private constructor(
    door: FakeDoor,
    folder: string,
    parts: Pick<Rig, "engine" | "far"> & { readonly server: ApiServer },
  ) {
    this.door = door;
    this.engine = parts.engine;
    this.far = parts.far;
    this.socketPath = join(folder, "gam.sock");
    this.#folder = folder;
    this.#server = parts.server;
  }

  /** `nodes`: how many are in the cluster; 0 for no cluster. The server is on the first node. */
  static async start(nodes: number): Promise<Rig> {
    const folder = await mkdtemp(join(tmpdir(), "gam-api-"));
    const ids = ["aaa", "bbb", "ccc"].map((id) => id.padEnd(25, "0") as NodeId);
    const door = new FakeDoor(ids[0] ?? ("" as NodeId));
    const made = ids.slice(0, nodes).map((id, at) => nodeCalled(`host${at + 1}`, id));
    if (nodes > 0) door.start(clusterSpecDefault, made);
    const engineSocketPath = join(folder, "docker.sock");
    const engine = await FakeEngineServer.listen(engineSocketPath);
    const server = await ApiServer.listen({
      socketPath: join(folder, "gam.sock"),
      engineSocketPath,
      door,
      log: { info: () => undefined, warn: () => undefined },
      version: "0.1.0",
    });
    const far: FarHost[] = [];
    for (const id of ids.slice(1, nodes)) {
      const path = join(folder, `${id}.sock`);
      const there = new ContainerServer(path);
      door.hosts.set(id, (stream) => there.accept(stream));
      far.push({ id, engine: await FakeEngineServer.listen(path), server: there });
    }
    return new Rig(door, folder, { engine, far, server });
  }

  async stop(): Promise<void> {
    await this.#server.close();
    await this.engine.close();
    for (const { engine, server } of this.far) {
      server.close();
      await engine.close();
    }
    await rm(this.#folder, { recursive: true });
  }

  call(method: string, path: string, body?: unknown, headers: object = {}): Promise<Answered> {
    return new Promise((settle, fail) => {
      const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
      const call = request({
        socketPath: this.socketPath,
        method,
        path,
        agent: false,
        headers: { ...(text !== undefined && { "Content-Type": "application/json" }), ...headers },
      });
      call.on("error", fail);
      call.on("response", async (response) => {
        const chunks: Buffer[] = [];
        for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
        const found = Buffer.concat(chunks).toString("latin1");
        const type = response.headers["content-type"] ?? "";
        const parsed = type.includes("json") ? jsonOrNothing(found) : undefined;
        const { statusCode: status = 0, headers: got } = response;
        settle({ status, headers: got, text: found, body: parsed });
      });
      call.end(text);
    });
  }
}

/** Returns: undefined for a stream of objects or an empty body, which are not JSON. */
function jsonOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
