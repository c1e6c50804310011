/** Route context: what all routes share, and how they read and write through the door. */
import { setMaxListeners } from "node:events";
import { GamError } from "@gam/core";
import type { AskedChange, NodeRole, View } from "@gam/state";
import type { FastifyReply } from "fastify";
import type { SwarmEvents } from "../answers/swarm-events.ts";
import type { ApiLog } from "../door/api-log.ts";
import type { ClusterDoor } from "../door/door.ts";
import type { Attachments } from "../engine/attachments.ts";
import type { Engine } from "../engine/engine.ts";
import type { Containers } from "../hosts/containers.ts";
import { ApiError, asInner, lockedSwarm, notInSwarm } from "../request/api-error.ts";
import { markOld } from "../request/old-copy.ts";

export interface RouteContext {
  readonly door: ClusterDoor;
  readonly engine: Engine;
  readonly containers: Containers;
  readonly attachments: Attachments;
  readonly events: SwarmEvents;
  readonly log: ApiLog;
  /** gam's own version. */
  readonly version: string;
}

/** Returns: a signal that aborts when the call ends, whichever side hangs up. */
export function closing(reply: FastifyReply): AbortSignal {
  const ended = new AbortController();
  // One call may listen for each stream that it reads, so there is no limit.
  setMaxListeners(0, ended.signal);
  reply.raw.once("close", () => ended.abort());
  return ended.signal;
}

/**
 * Resolves to the state with all acknowledged writes. Without a leader to ask, it resolves to this peer's copy, and
 * the answer says so. Errors: ApiError 503 outside of a cluster.
 */
export async function freshView({ door }: RouteContext): Promise<View> {
  requireActive(door);
  if (!(await door.fresh())) markOld();
  return door.view();
}

/** Like freshView(), for writes. Errors: GamError NO_LEADER instead of a copy that may be old. */
export async function sureView({ door }: RouteContext): Promise<View> {
  requireActive(door);
  if (await door.fresh()) return door.view();
  throw new GamError("NO_LEADER", 'Cannot write: this host reaches no leader. Run "gam status"');
}

/** Errors: ApiError 503 outside of a cluster, and on a locked host. */
export function requireActive(door: ClusterDoor): void {
  if (door.state() === "locked") throw new ApiError(503, lockedSwarm);
  if (door.state() === "inactive") throw new ApiError(503, notInSwarm);
}

/** Proposes changes. Errors: those of propose(), with the texts of Swarm's manager. */
export async function write(
  { door }: RouteContext,
  changes: readonly AskedChange[],
): Promise<void> {
  await written(() => door.propose(changes));
}

/** Like write(), and starts to replace the root key. */
export async function rotateRoot(
  { door }: RouteContext,
  changes: readonly AskedChange[],
): Promise<void> {
  await written(() => door.rotateRoot(changes));
}

/** Like write(), and makes new tokens of these roles. */
export async function rotateTokens(
  { door }: RouteContext,
  roles: readonly NodeRole[],
  changes: readonly AskedChange[] = [],
): Promise<void> {
  await written(() => door.rotateTokens(roles, changes));
}

async function written(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (thrown) {
    if (!(thrown instanceof GamError)) throw thrown;
    throw asInner(thrown);
  }
}
