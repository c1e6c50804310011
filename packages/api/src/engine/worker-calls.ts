/**
 * Worker calls: what the socket of a worker does not answer.
 *
 * A worker's socket is no way into the cluster: calls about it are refused in Swarm's words. Calls for the
 * engine go through, and the node may still leave.
 */
import type { ClusterDoor } from "../door/door.ts";
import { ApiError, onWorker } from "../request/api-error.ts";
import { wordsOf } from "./engine-path.ts";

/** Calls that only managers answer begin with these. */
const managersWords = new Set(["swarm", "nodes", "services", "tasks", "secrets", "configs"]);
/** A node answers these for itself. */
const ownSwarmCalls = new Set(["init", "join", "leave"]);

/** Whether this host is a member of the cluster, and no manager. */
export function isWorker(door: ClusterDoor): boolean {
  return door.state() === "active" && door.view().node(door.self)?.Spec.Role === "worker";
}

/** Errors: ApiError 503 on a worker, for a call that is for managers. */
export function insistOnManagersCall(door: ClusterDoor, url: string): void {
  const [first = "", second = ""] = wordsOf(url);
  if (!managersWords.has(first)) return;
  if (first === "swarm" && ownSwarmCalls.has(second)) return;
  requireManager(door);
}

/** Errors: ApiError 503 on a worker. */
export function requireManager(door: ClusterDoor): void {
  if (isWorker(door)) throw new ApiError(503, onWorker);
}
