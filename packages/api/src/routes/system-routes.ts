/** System routes: ping, version and info. The engine's answers, with gam's Swarm part. */
import { arch, cpus, hostname, totalmem } from "node:os";
import type { EngineAnswer } from "@gam/engine";
import type { Cluster, View } from "@gam/state";
import { oldCopyNotice } from "@gam/state/answers";
import type { FastifyInstance } from "fastify";
import { managerAddress } from "../answers/node-answer.ts";
import { clusterTlsInfo } from "../answers/tls-info.ts";
import type { ClusterDoor } from "../door/door.ts";
import { missing } from "../engine/engine.ts";
import { isWorker } from "../engine/worker-calls.ts";
import { lockedSwarm } from "../request/api-error.ts";
import { announced, versionMin } from "../request/api-version.ts";
import type { RouteContext } from "./route-context.ts";

/** Go's name for this architecture, which clients use. */
const goArch = arch() === "x64" ? "amd64" : arch();

export function systemRoutes(app: FastifyInstance, context: RouteContext): void {
  const { door, engine } = context;

  app.route({
    method: ["GET", "HEAD"],
    url: "/_ping",
    handler: async (request, reply) => {
      const found = await askOrNothing(context, "HEAD", "/_ping");
      const version = await engine.version();
      reply
        .header("Api-Version", announced(version))
        .header("Builder-Version", String(found?.headers["builder-version"] ?? ""))
        .header("Docker-Experimental", String(found?.headers["docker-experimental"] ?? "false"))
        .header("Ostype", String(found?.headers.ostype ?? "linux"))
        .header("Swarm", swarmState(door))
        .header("Cache-Control", "no-cache, no-store, must-revalidate")
        .header("Pragma", "no-cache")
        .type("text/plain; charset=utf-8");
      return reply.send(request.method === "HEAD" ? undefined : "OK");
    },
  });

  app.get("/version", async () => {
    const found = await askOrNothing(context, "GET", "/version");
    const body = objectOr(found?.body, { Os: "linux", Arch: goArch, Version: "" });
    const apiVersion = announced(await engine.version());
    const components = Array.isArray(body.Components) ? body.Components : [];
    return {
      ...body,
      Components: [...components, { Name: "gam", Version: context.version, Details: {} }],
      ApiVersion: apiVersion,
      MinAPIVersion: versionMin,
    };
  });

  app.get("/info", async () => {
    const found = await askOrNothing(context, "GET", "/info");
    const Swarm = swarmInfo(door);
    if (found !== undefined) {
      const body = objectOr(found.body, {});
      const options = Array.isArray(body.SecurityOptions) ? body.SecurityOptions : [];
      const known = Array.isArray(body.Warnings) ? body.Warnings : [];
      const Warnings = [...known, ...warningsOf(door)];
      return {
        ...body,
        SecurityOptions: [...options, ...encryptionOf(door)],
        Swarm,
        // As in the engine's answer, null for none.
        Warnings: Warnings.length > 0 ? Warnings : null,
      };
    }
    const missingEngine = `WARNING: No Docker engine answers at ${engine.socketPath}`;
    return { ...infoWithoutEngine(), Swarm, Warnings: [missingEngine, ...warningsOf(door)] };
  });
}

/** Returns: the engine's answer; undefined without an engine or for an error. */
async function askOrNothing(
  { engine }: RouteContext,
  method: "GET" | "HEAD",
  path: string,
): Promise<EngineAnswer | undefined> {
  const answer = await engine.ask(method, path).catch(missing);
  return answer?.status === 200 ? answer : undefined;
}

/** `docker info` shows these on its error stream. */
function warningsOf(door: ClusterDoor): readonly string[] {
  const isLost = door.state() === "active" && door.leader() === undefined;
  return isLost ? [`WARNING: ${oldCopyNotice}`] : [];
}

function objectOr(body: unknown, otherwise: Record<string, unknown>): Record<string, unknown> {
  return typeof body === "object" && body !== null ? { ...body } : otherwise;
}

const encryptionWords = { kernel: "wireguard", userspace: "wireguard-go", none: "none" } as const;

/** Returns: how this node encrypts network traffic. Clients print no other key than `profile`. */
function encryptionOf(door: ClusterDoor): readonly string[] {
  const network = door.view().node(door.self)?.Gam.network;
  return network === undefined
    ? []
    : [`name=overlay-encryption,profile=${encryptionWords[network.encryption]}`];
}

/** Returns: the fields that this host knows without an engine, so that the client can print them. */
function infoWithoutEngine(): object {
  return {
    ID: "",
    Containers: 0,
    ContainersRunning: 0,
    ContainersPaused: 0,
    ContainersStopped: 0,
    Images: 0,
    Driver: "",
    Plugins: { Volume: [], Network: [], Authorization: null, Log: [] },
    SystemTime: new Date().toISOString(),
    OSType: "linux",
    Architecture: goArch === "amd64" ? "x86_64" : "aarch64",
    NCPU: cpus().length,
    MemTotal: totalmem(),
    Name: hostname(),
    ServerVersion: "",
  };
}

function swarmState(door: ClusterDoor): string {
  const state = door.state();
  if (state !== "active") return state;
  return isWorker(door) ? "active/worker" : "active/manager";
}

/** The `Swarm` part of info. */
function swarmInfo(door: ClusterDoor): object {
  const state = door.state();
  if (state !== "active") {
    return {
      NodeID: "",
      NodeAddr: "",
      LocalNodeState: state,
      ControlAvailable: false,
      Error: state === "locked" ? lockedSwarm : "",
      RemoteManagers: null,
    };
  }
  const view = door.view();
  const managers = view.nodes().filter((node) => node.Spec.Role === "manager");
  const member = {
    NodeID: door.self,
    NodeAddr: view.node(door.self)?.Status.Addr ?? "",
    LocalNodeState: "active",
    ControlAvailable: !isWorker(door),
    Error:
      door.leader() === undefined
        ? 'No leader is known: writes wait until one is elected. Run "gam status"'
        : "",
    RemoteManagers: managers.map((node) => ({ NodeID: node.ID, Addr: managerAddress(node) })),
  };
  if (isWorker(door)) return member;
  return {
    ...member,
    Nodes: view.nodes().length,
    Managers: managers.length,
    ...(view.cluster && { Cluster: clusterInfo(view.cluster) }),
  };
}

/** The Engine API's ClusterInfo. */
export function clusterInfo(cluster: NonNullable<View["cluster"]>): object {
  const { ID, Version, CreatedAt, UpdatedAt, Spec }: Cluster = cluster;
  const { DefaultAddrPool, SubnetSize, DataPathPort } = cluster;
  return {
    ID,
    Version,
    CreatedAt,
    UpdatedAt,
    Spec,
    TLSInfo: clusterTlsInfo(cluster),
    RootRotationInProgress: cluster.NextRoot !== undefined,
    DefaultAddrPool,
    SubnetSize,
    DataPathPort,
  };
}
