/** Swarm routes: creating, joining and leaving the cluster, and its settings. */
import { networkInterfaces } from "node:os";
import { GamError } from "@gam/core";
import {
  type AskedChange,
  type Availability,
  type ClusterSpec,
  clusterSpecDefault,
  type NodeRole,
  readClusterSpec,
  readDataPath,
  readInitRequest,
  readJoinRequest,
  readUnlockRequest,
} from "@gam/state";
import type { FastifyInstance } from "fastify";
import type { ClusterDoor, SwarmJoinRequest } from "../door/door.ts";
import { isWorker } from "../engine/worker-calls.ts";
import {
  ApiError,
  alreadyInSwarm,
  lockedLeave,
  notInSwarm,
  notPartOfSwarm,
} from "../request/api-error.ts";
import { readJsonBody } from "../request/json-body.ts";
import { Query } from "../request/query.ts";
import {
  freshView,
  type RouteContext,
  requireActive,
  rotateRoot,
  rotateTokens,
  sureView,
  write,
} from "./route-context.ts";
import { clusterInfo } from "./system-routes.ts";

const leavingManager =
  "You are attempting to leave the swarm on a node that is participating as a manager.";
const lastManager = `${leavingManager} Removing the last manager erases all current state of the swarm. Use \`--force\` to ignore this message.`;
const invalidToken =
  "rpc error: code = InvalidArgument desc = A valid join token is necessary to join this cluster";
/** The docker client's default. */
const listenAddrUsual = "0.0.0.0:2377";

export function swarmRoutes(app: FastifyInstance, context: RouteContext): void {
  const { door } = context;

  app.get("/swarm", async () => {
    const { cluster } = await freshView(context);
    if (cluster === undefined) throw notYet();
    const { worker, manager } = door.tokens();
    return { ...clusterInfo(cluster), JoinTokens: { Worker: worker, Manager: manager } };
  });

  app.post("/swarm/init", async (request, reply) => {
    const body = readInitRequest(await readJsonBody(request.body));
    if (body.ForceNewCluster && door.state() !== "inactive") {
      requireActive(door);
      await door.recover(true);
      return reply.type("application/json").send(JSON.stringify(door.self));
    }
    if (door.state() !== "inactive") throw new ApiError(503, alreadyInSwarm);
    refuseDataPathAddr(body);
    const { Spec = {}, AutoLockManagers } = body;
    const encryption = AutoLockManagers ? { EncryptionConfig: { AutoLockManagers } } : {};
    const spec = readClusterSpec({ ...Spec, ...encryption });
    refuseForeignKeys(clusterSpecDefault, spec);
    const node = await door.init({
      listenAddr: listenAddr(body.ListenAddr),
      advertiseAddr: advertiseAddr(body),
      availability: availability(body.Availability),
      spec,
      dataPath: readDataPath(body),
    });
    // Fastify would send a bare string as text, but the client expects JSON.
    return reply.type("application/json").send(JSON.stringify(node));
  });

  app.post("/swarm/join", async (request, reply) => {
    const body = readJoinRequest(await readJsonBody(request.body));
    if (door.state() !== "inactive") throw new ApiError(503, alreadyInSwarm);
    if (body.ListenAddr === undefined) {
      throw new ApiError(400, 'invalid ListenAddr "": invalid empty address');
    }
    refuseDataPathAddr(body);
    await joinSwarm(door, {
      token: body.JoinToken ?? "",
      addresses: (body.RemoteAddrs ?? []).filter((address) => address !== ""),
      listenAddr: listenAddr(body.ListenAddr),
      advertiseAddr: advertiseAddr(body),
      availability: availability(body.Availability),
    });
    return reply.send();
  });

  app.post("/swarm/leave", async (request, reply) => {
    await leave(door, new Query(request.url).flag("force"));
    return reply.send();
  });

  app.post("/swarm/update", async (request, reply) => {
    requireActive(door);
    const query = new Query(request.url);
    const body = await readJsonBody(request.body);
    const basedOn = query.version("swarm");
    const { cluster } = await sureView(context);
    if (cluster === undefined) throw notYet();
    const spec = readClusterSpec(body);
    // This copy decides whether keys are replaced, so it must be the version that the client has read.
    if (cluster.Version.Index !== basedOn) throw outOfSequence();
    refuseForeignKeys(cluster.Spec, spec);
    const isLocked = spec.EncryptionConfig.AutoLockManagers;
    const wantsKey = cluster.UnlockKey === undefined || query.flag("rotateManagerUnlockKey");
    const unlockKey = isLocked && wantsKey ? door.newUnlockKey() : undefined;
    const changes: AskedChange[] = [{ kind: "updateCluster", spec, basedOn, unlockKey }];
    const rotates = forceRotate(spec) > forceRotate(cluster.Spec);
    const roles: NodeRole[] = [];
    if (query.flag("rotateWorkerToken")) roles.push("worker");
    if (query.flag("rotateManagerToken")) roles.push("manager");
    // A new root key includes new tokens.
    if (rotates) await rotateRoot(context, changes);
    else if (roles.length > 0) await rotateTokens(context, roles, changes);
    else await write(context, changes);
    return reply.send();
  });

  app.get("/swarm/unlockkey", async () => {
    await freshView(context);
    return { UnlockKey: door.unlockKey() };
  });

  app.post("/swarm/unlock", async (request, reply) => {
    insistOnLocked(door);
    const { UnlockKey = "" } = readUnlockRequest(await readJsonBody(request.body));
    await unlock(door, UnlockKey);
    return reply.send();
  });
}

/** Errors: ApiError 503 in a cluster; BAD_TOKEN for an empty token, for which Swarm answers a bare 500. */
export async function join(door: ClusterDoor, request: SwarmJoinRequest): Promise<void> {
  if (door.state() !== "inactive") {
    const isMember = door.state() === "active";
    if (isMember && request.advertiseAddr !== undefined) {
      throw new GamError(
        "REFUSED",
        "Cannot change the address of a member: set GAM_ADVERTISE for its agent and restart it",
      );
    }
    if (isMember && request.token !== "" && (await door.meet(request))) return;
    throw new ApiError(503, alreadyInSwarm);
  }
  if (request.token === "") throw new GamError("BAD_TOKEN", "Cannot join: the token is empty");
  await door.join(request);
}

/** As join(), with the words in which Swarm refuses a token, and then the reason. */
async function joinSwarm(door: ClusterDoor, request: SwarmJoinRequest): Promise<void> {
  try {
    await join(door, request);
  } catch (thrown) {
    if (!(thrown instanceof GamError)) throw thrown;
    const { code, message } = thrown;
    // The mesh reads a token, or a member has refused the secret in it.
    if (code === "BAD_TOKEN")
      throw new ApiError(500, `invalid join token: ${message}`, { cause: thrown });
    if (code !== "NOT_MEMBER") throw thrown;
    throw new ApiError(400, `${invalidToken}: ${message}`, { cause: thrown });
  }
}

/** Errors: ApiError 401 for a wrong key, 409 where nothing is locked, 503 outside of a cluster; those of the door. */
export async function unlock(door: ClusterDoor, key: string): Promise<void> {
  insistOnLocked(door);
  try {
    await door.unlock(key);
  } catch (thrown) {
    if (!(thrown instanceof GamError) || thrown.code !== "BAD_TOKEN") throw thrown;
    throw new ApiError(401, thrown.message, { cause: thrown });
  }
}

function insistOnLocked(door: ClusterDoor): void {
  if (door.state() === "inactive") throw new ApiError(503, notInSwarm);
  if (door.state() === "active") throw new ApiError(409, "swarm is not locked");
}

/**
 * Errors: ApiError 503 outside of a cluster; unless forced, ApiError 503 on the last manager and NO_LEADER
 * without a leader. Returns: as ClusterDoor.
 */
export async function leave(door: ClusterDoor, force: boolean): Promise<boolean> {
  if (door.state() === "inactive") throw new ApiError(503, notPartOfSwarm);
  if (door.state() === "locked") {
    if (!force) throw new ApiError(503, lockedLeave);
    return await door.leave(true);
  }
  if (!force) insistOnOtherManager(door);
  try {
    return await door.leave(force);
  } catch (thrown) {
    if (force || !(thrown instanceof GamError) || thrown.code !== "NO_LEADER") throw thrown;
    const message = `${thrown.message}. Use \`--force\` to leave without telling the others.`;
    throw new GamError("NO_LEADER", message, { cause: thrown });
  }
}

/**
 * Another manager that answers must take over. Swarm refuses every manager; here any other manager can lead, so only
 * the one that nobody can replace is refused.
 *
 * Errors: ApiError 503.
 */
function insistOnOtherManager(door: ClusterDoor): void {
  const managers = door
    .view()
    .nodes()
    .filter(({ Spec }) => Spec.Role === "manager");
  const others = managers.filter(({ ID }) => ID !== door.self);
  if (others.some(({ ID }) => door.reachable(ID))) return;
  if (others.length === 0) throw new ApiError(503, lastManager);
  // A worker leaves without a manager only if forced, with the reason that no leader took the write.
  if (isWorker(door)) return;
  throw new ApiError(
    503,
    `${leavingManager} Removing this node leaves 0 managers out of ${managers.length}. Without a Raft quorum your swarm will be inaccessible. The only way to restore a swarm that has lost consensus is to reinitialize it with \`--force-new-cluster\`. Use \`--force\` to suppress this message.`,
  );
}

function outOfSequence(): ApiError {
  return new ApiError(500, "rpc error: code = Unknown desc = update out of sequence");
}

function notYet(): ApiError {
  return new ApiError(
    503,
    "Cannot show the swarm: this node has just joined and has no state yet. Try again in a few seconds",
  );
}

/** Returns: the number that a client raises to replace the root key. */
function forceRotate({ CAConfig }: ClusterSpec): number {
  const { ForceRotate } = CAConfig;
  return typeof ForceRotate === "number" ? ForceRotate : 0;
}

/** Refuses external keys: ignoring one silently would be worse. */
function refuseForeignKeys(old: ClusterSpec, spec: ClusterSpec): void {
  const asked = (name: string): boolean =>
    (spec.CAConfig[name] ?? null) !== null && spec.CAConfig[name] !== old.CAConfig[name];
  if (asked("SigningCACert") || asked("SigningCAKey") || asked("ExternalCAs")) {
    throw new GamError(
      "NOT_SUPPORTED",
      "Cannot use an external certificate or key: the cluster creates its own root key",
    );
  }
}

interface Addresses {
  readonly ListenAddr?: string | undefined;
  readonly AdvertiseAddr?: string | undefined;
  readonly DataPathAddr?: string | undefined;
}

function listenAddr(address: string | undefined): string | undefined {
  return address === listenAddrUsual ? undefined : address;
}

/**
 * Clients send port 2377 by default. Drops it unless the call makes us listen there, since nothing else does.
 */
function advertiseAddr({ ListenAddr, AdvertiseAddr }: Addresses): string | undefined {
  const usual = listenAddr(ListenAddr) === undefined;
  return usual ? AdvertiseAddr?.replace(/:2377$/, "") : AdvertiseAddr;
}

/**
 * Refuses a separate data path: containers' packets always use the node's advertised address, which a client may
 * write as an address or as an interface.
 */
function refuseDataPathAddr({ DataPathAddr: asked, AdvertiseAddr = "" }: Addresses): void {
  if (asked === undefined) return;
  const advertised = hostAddresses(AdvertiseAddr);
  if (hostAddresses(asked).some((address) => advertised.includes(address))) return;
  const message = `Cannot use ${asked} for the data path: containers reach each other by the advertised address. Leave out --data-path-addr`;
  throw new GamError("NOT_SUPPORTED", message);
}

/** `text`: an address, `host:port`, or an interface of this host. */
function hostAddresses(text: string): readonly string[] {
  const found = networkInterfaces()[text]?.map(({ address }) => address);
  return found ?? [text.replace(/:\d+$/, "")];
}

function availability(word = "active"): Availability {
  if (word === "active" || word === "pause" || word === "drain") return word;
  throw new GamError("BAD_REQUEST", `invalid Availability: "${word}"`);
}
