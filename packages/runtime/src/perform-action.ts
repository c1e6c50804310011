/**
 * Performer: carries out the worker's actions on a real engine.
 *
 * Decides what an engine's answer means for the action. Decides nothing about tasks.
 */
import { readlinkSync } from "node:fs";
import { check, GamError, messageOf, rethrowInvariant, type TaskId, unreachable } from "@gam/core";
import { type EngineClient, EngineRefusal, EngineUnreachable } from "@gam/engine";
import type { ActionOutcome, ContainerPlan, EngineAction, Failure, NetworkJoin } from "@gam/worker";
import { openConnections } from "./connections/open-connections.ts";
import { type Inspection, readInspection } from "./container-inspect.ts";
import {
  type ContentSource,
  type EngineContents,
  type FileMount,
  FileRoom,
} from "./contents/file-room.ts";
import { MemoryFolder } from "./contents/memory-folder.ts";
import { mapsUsers } from "./engine-users.ts";
import { ImageRoom } from "./image-room.ts";
import type { EngineImages } from "./image-source.ts";
import type { NetworkBook } from "./network-book.ts";

const limitMs = 60_000;
const inspectMs = 15_000;
/** Added to the grace period, for the engine's own work. */
const stopSpareMs = 30_000;
const created = check.object({ Id: check.string() });

/** Open to the mapped root, the files would be open to other users of the host as well. */
const usersAreMapped: ActionOutcome = {
  ok: false,
  failure: "refused",
  message:
    "cannot give secrets and configs to containers on this node: its engine maps user ids (userns-remap), so they could not read them. Keep such services away from it with a constraint, or switch userns-remap off",
};

type ImageAction = Extract<EngineAction, { kind: "ensureImage" }>;
type CreateAction = Extract<EngineAction, { kind: "create" }>;
type CountAction = Extract<EngineAction, { kind: "count" }>;

export interface PerformerParts {
  readonly client: EngineClient;
  readonly networks: NetworkBook;
  readonly contents: EngineContents;
  readonly images: EngineImages;
  /** Called before each inspection of the container of a task. */
  readonly asked?: (task: TaskId) => void;
}

export class Performer {
  readonly #client: EngineClient;
  readonly #networks: NetworkBook;
  readonly #source: ContentSource;
  readonly #files: FileRoom;
  readonly #images: ImageRoom;
  readonly #asked: (task: TaskId) => void;

  constructor({ client, networks, contents, images, asked = () => undefined }: PerformerParts) {
    this.#client = client;
    this.#networks = networks;
    this.#source = contents.source;
    this.#asked = asked;
    this.#files = new FileRoom(new MemoryFolder(contents.folder), contents.source);
    this.#images = new ImageRoom(client, images);
  }

  /** Never rejects because of what the engine or the host does. */
  async perform(action: EngineAction): Promise<ActionOutcome> {
    try {
      return await this.#do(action);
    } catch (thrown) {
      if (thrown instanceof EngineRefusal) {
        return { ok: false, failure: failureOf(action, thrown), message: thrown.message };
      }
      // An answer that cannot be read counts as no answer.
      const senseless = thrown instanceof GamError && thrown.code === "BAD_FRAME";
      if (!senseless && !(thrown instanceof EngineUnreachable)) throw thrown;
      return { ok: false, failure: "engine", message: thrown.message };
    }
  }

  /** The container's current state, `undefined` when it is not gam's. Errors: EngineRefusal, EngineUnreachable. */
  async inspect(container: string): Promise<Inspection | undefined> {
    const path = `/containers/${container}/json`;
    const answer = await this.#client.call({ method: "GET", path, limitMs: inspectMs });
    const inspection = readInspection(answer);
    const network = inspection && networkOf(inspection.state.pid);
    if (inspection === undefined || network === undefined) return inspection;
    return { ...inspection, state: { ...inspection.state, network } };
  }

  async #do(action: EngineAction): Promise<ActionOutcome> {
    switch (action.kind) {
      case "ensureImage":
        return await this.#ensureImage(action);
      case "ensureNetwork":
        await this.#networks.ensure(action.network);
        return { ok: true };
      case "pruneNetworks":
        await this.#networks.prune(action.keep);
        return { ok: true };
      case "placeFiles":
        if (await mapsUsers(this.#client)) return usersAreMapped;
        return await this.#files.perform(action);
      case "dropFiles":
      case "sweepFiles":
        return await this.#files.perform(action);
      case "create":
        return await this.#create(action);
      case "start":
        await this.#post(`/containers/${action.container}/start`, limitMs);
        return await this.#look(action.task, action.container);
      case "stop":
        return await this.#stop(action.task, action.container);
      case "count":
        return await count(action);
      case "inspect":
        return await this.#look(action.task, action.container);
      case "remove":
        return await this.#remove(action.container);
      default:
        unreachable(action);
    }
  }

  /** Credentials are asked for only when there is something to pull. */
  async #ensureImage({ image, credentials }: ImageAction): Promise<ActionOutcome> {
    return await this.#images.ensure(image, async () => {
      if (credentials === undefined) return "";
      return await this.#source.credentials(credentials.task);
    });
  }

  async #look(task: TaskId, container: string): Promise<ActionOutcome> {
    this.#asked(task);
    const inspection = await this.inspect(container);
    if (inspection !== undefined) return { ok: true, container: inspection.state };
    return { ok: false, failure: "gone", message: `Container ${container} is not managed by gam` };
  }

  async #create(action: CreateAction): Promise<ActionOutcome> {
    const { plan } = action;
    const joins: [string, EndpointSettings][] = [];
    for (const join of plan.joins) {
      const network = this.#networks.idOf(join.network);
      if (network === undefined) {
        const message = `network ${join.network} not found`;
        return { ok: false, failure: "network", message };
      }
      joins.push([network, endpointOf(join)]);
    }
    const [first, ...rest] = joins;
    const Image = this.#images.nameIn(plan.image);
    const body = withFiles({ ...plan.body, Image }, this.#files.mountsOf(action.task, plan.files));
    let id: string;
    try {
      const answer = await this.#client.call({
        method: "POST",
        path: "/containers/create",
        query: { name: plan.name },
        body: first === undefined ? body : withNetwork(body, ...first),
        limitMs,
      });
      id = created(answer, "container").Id;
    } catch (thrown) {
      if (!(thrown instanceof EngineRefusal) || thrown.status !== 409) throw thrown;
      // An earlier create succeeded, but its answer was lost.
      const known = await this.inspect(plan.name);
      if (known?.state.task !== action.task) throw thrown;
      id = known.state.id;
    }
    for (const join of rest) await this.#connect(id, ...join);
    return await this.#look(action.task, id);
  }

  /** An adopted container may be connected already; that is not an error. */
  async #connect(
    container: string,
    network: string,
    EndpointConfig: EndpointSettings,
  ): Promise<void> {
    try {
      const body = { Container: container, EndpointConfig };
      await this.#client.call({
        method: "POST",
        path: `/networks/${network}/connect`,
        body,
        limitMs,
      });
    } catch (thrown) {
      const already = thrown instanceof EngineRefusal && /already exists/.test(thrown.message);
      if (!already) throw thrown;
    }
  }

  async #stop(task: TaskId, container: string): Promise<ActionOutcome> {
    const before = await this.inspect(container);
    if (before?.state.phase === "running") {
      await this.#post(
        `/containers/${container}/stop`,
        Math.max(0, before.stopSeconds) * 1000 + stopSpareMs,
      );
    }
    return await this.#look(task, container);
  }

  async #remove(container: string): Promise<ActionOutcome> {
    const query = { force: true, v: true };
    const path = `/containers/${container}`;
    try {
      await this.#client.call({ method: "DELETE", path, query, limitMs });
    } catch (thrown) {
      if (!(thrown instanceof EngineRefusal) || thrown.status !== 404) throw thrown;
    }
    return { ok: true };
  }

  /** The client takes 304 (already in that state) as success. */
  async #post(path: string, callMs: number): Promise<void> {
    await this.#client.call({ method: "POST", path, limitMs: callMs });
  }
}

async function count({ pid, addresses }: CountAction): Promise<ActionOutcome> {
  try {
    return { ok: true, connections: await openConnections(pid, addresses) };
  } catch (thrown) {
    rethrowInvariant(thrown);
    return {
      ok: false,
      failure: "refused",
      message: `Cannot count connections: ${messageOf(thrown)}`,
    };
  }
}

/** Returns: the network namespace of the process; undefined where it has ended or its host does not show it. */
function networkOf(pid: number): string | undefined {
  if (pid === 0) return undefined;
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch (thrown) {
    rethrowInvariant(thrown);
    return undefined;
  }
}

type EndpointSettings = Readonly<Record<string, unknown>>;
type Body = ContainerPlan["body"];

function endpointOf({ address, mac, driverOpts }: NetworkJoin): EndpointSettings {
  return {
    IPAMConfig: { IPv4Address: address },
    MacAddress: mac,
    ...(driverOpts && { DriverOpts: driverOpts }),
  };
}

/** The engine sorts mounts by their depth, so a file below a volume is mounted after the volume. */
function withFiles(body: Body, files: readonly FileMount[]): Body {
  if (files.length === 0) return body;
  const host = body.HostConfig as Readonly<Record<string, unknown>>;
  const { Mounts = [] } = host as { readonly Mounts?: readonly unknown[] };
  return { ...body, HostConfig: { ...host, Mounts: [...Mounts, ...files] } };
}

function withNetwork(body: Body, network: string, endpoint: EndpointSettings): Body {
  const host = body.HostConfig as Readonly<Record<string, unknown>>;
  return {
    ...body,
    HostConfig: { ...host, NetworkMode: network },
    NetworkingConfig: { EndpointsConfig: { [network]: endpoint } },
  };
}

function failureOf(action: EngineAction, { status, message }: EngineRefusal): Failure {
  if (status === 503) return "engine";
  // Somebody else is already removing the container.
  if (action.kind === "remove" && status === 409) return "engine";
  if (status !== 404) return "refused";
  if (/no such image/i.test(message)) return "image";
  if (/network/i.test(message)) return "network";
  return "container" in action ? "gone" : "refused";
}
