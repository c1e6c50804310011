/**
 * Remote logs: the logs of task containers, read from the node that has the container.
 *
 * Decides what other nodes may read here: managers only, and only logs of task containers. The logs of the
 * engine's other containers are never sent.
 */
import type { Duplex, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
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
import type { ContainerLogsOptions, DockerEngine } from "@gam/runtime";
import type { Task, View } from "@gam/state";
import type { AgentLog } from "./log.ts";

const name = "logs";

const logsCheck = check.object({
  container: check.string(128),
  follow: check.boolean,
  stdout: check.boolean,
  stderr: check.boolean,
  timestamps: check.boolean,
  details: check.boolean,
  tail: check.string(32),
  since: check.string(64),
  until: check.string(64),
});
export type ContainerLogs = Omit<Required<ContainerLogsOptions>, "container">;

export interface RemoteLogsParts {
  readonly self: NodeId;
  readonly mesh: Pick<Mesh, "stream" | "handleStream" | "sender" | "refuse">;
  readonly engine: Pick<DockerEngine, "logs">;
  readonly view: () => View;
  readonly log: AgentLog;
}

export class RemoteLogs {
  readonly #parts: RemoteLogsParts;

  /** Starts to answer other nodes. */
  constructor(parts: RemoteLogsParts) {
    this.#parts = parts;
    parts.mesh.handleStream(name, (from, header, stream) => this.#serve(from, header, stream));
  }

  /** The raw log of a task's container. Errors: NOT_FOUND; those of the engine and of the mesh. */
  async read(task: Task, options: ContainerLogs, signal: AbortSignal): Promise<Readable> {
    const { self, engine, mesh } = this.#parts;
    const container = task.Status.ContainerStatus?.ContainerID;
    if (container === undefined || task.NodeID === undefined) {
      throw new GamError("NOT_FOUND", `Cannot read logs of task ${task.ID}: it has no container`);
    }
    const local = task.NodeID === self;
    const stream: Readable = local
      ? await engine.logs(container, options)
      : await mesh.stream(task.NodeID, name, encode({ container, ...options }));
    // Our half of the mesh stream carries no data, and stays open until we end it.
    if (!local) (stream as Duplex).end();
    const end = (): void => void stream.destroy();
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
    stream.once("close", () => signal.removeEventListener("abort", end));
    return stream;
  }

  async #serve(from: NodeId, header: Uint8Array, stream: Duplex): Promise<void> {
    const { self, mesh, engine, view, log } = this.#parts;
    const sender = mesh.sender(from);
    if (sender === undefined || roleOf(view(), { id: from, sender }) !== "manager") {
      mesh.refuse(from, "logs are for managers");
      throw new GamError("REFUSED", "Cannot read logs: they are for managers");
    }
    const { container, ...options } = logsCheck(decode(header), "logs");
    const isTasks = view()
      .tasksOn(self)
      .some(({ Status }) => Status.ContainerStatus?.ContainerID === container);
    if (!isTasks) {
      const message = `Cannot read logs of container ${container}: no task of this node has it`;
      throw new GamError("NOT_FOUND", message);
    }
    const logs = await engine.logs(container, options);
    stream.resume();
    stream.once("close", () => logs.destroy());
    pipeline(logs, stream).catch((thrown) => {
      rethrowInvariant(thrown);
      log.debug({ reason: messageOf(thrown) }, "Log stream ended early");
    });
  }
}
