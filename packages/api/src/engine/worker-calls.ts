/**
 * Worker calls: decides which calls the socket of a worker, or of a locked manager, refuses.
 *
 * A worker's socket must give no access to the cluster: it refuses calls about the cluster with Swarm's text. A
 * locked manager knows nothing of the cluster. Calls for the engine pass, and the node may still leave.
 */
import type { ClusterDoor } from "../door/door.ts";
import { ApiError, lockedSwarm, onWorker } from "../request/api-error.ts";
import { wordsOf } from "./engine-path.ts";

/** First words of the calls that only managers answer. */
const managersWords = new Set(["swarm", "nodes", "services", "tasks", "secrets", "configs"]);
/** Calls about the node itself, which a worker answers too. */
const ownSwarmCalls = new Set(["init", "join", "leave"]);
/** Calls by which a locked host is unlocked, besides those. */
const lockedSwarmCalls = new Set([...ownSwarmCalls, "unlock"]);

/** Returns: whether this host is a member of the cluster but no manager. */
export function isWorker(door: ClusterDoor): boolean {
  return door.state() === "active" && door.view().node(door.self)?.Spec.Role === "worker";
}

/** Errors: ApiError 503 on a worker or a locked manager, for a call that is for managers. */
export function insistOnManagersCall(door: ClusterDoor, url: string): void {
  const [first = "", second = ""] = wordsOf(url);
  if (!managersWords.has(first)) return;
  const isLocked = door.state() === "locked";
  const own = isLocked ? lockedSwarmCalls : ownSwarmCalls;
  if (first === "swarm" && own.has(second)) return;
  if (isLocked) throw new ApiError(503, lockedSwarm);
  requireManager(door);
}

/** Errors: ApiError 503 on a worker. */
export function requireManager(door: ClusterDoor): void {
  if (isWorker(door)) throw new ApiError(503, onWorker);
}
