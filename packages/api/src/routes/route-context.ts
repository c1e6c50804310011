/** Route context: what all routes share, and the two things that they all do with the door. */
import { setMaxListeners } from "node:events";
import { GamError } from "@gam/core";
import type { AskedChange, NodeRole, View } from "@gam/state";
import type { FastifyReply } from "fastify";
import type { SwarmEvents } from "../answers/swarm-events.ts";
import type { ApiLog } from "../door/api-log.ts";
import type { ClusterDoor } from "../door/door.ts";
import type { Attachments } from "../engine/attachments.ts";
import type { Engine } from "../engine/engine.ts";
import { ApiError, asInner, notInSwarm } from "../request/api-error.ts";

export interface RouteContext {
  readonly door: ClusterDoor;
  readonly engine: Engine;
  readonly attachments: Attachments;
  readonly events: SwarmEvents;
  readonly log: ApiLog;
  /** gam's own version. */
  readonly version: string;
  readonly checkTemplate: (text: string) => string | undefined;
}

/** Ends when the call does, whichever side hung up. */
export function closing(reply: FastifyReply): AbortSignal {
  const ended = new AbortController();
  // One call may wait for as many streams as it reads.
  setMaxListeners(0, ended.signal);
  reply.raw.once("close", () => ended.abort());
  return ended.signal;
}

/** The state, as new as the last write that anybody was told of. Errors: ApiError 503 outside of a cluster. */
export async function freshView({ door }: RouteContext): Promise<View> {
  requireActive(door);
  await door.fresh();
  return door.view();
}

/** Errors: ApiError 503 outside of a cluster. */
export function requireActive(door: ClusterDoor): void {
  if (door.state() === "inactive") throw new ApiError(503, notInSwarm);
}

/** Proposes, and gives refusals the words of Swarm's manager. */
export async function write(
  { door }: RouteContext,
  changes: readonly AskedChange[],
): Promise<void> {
  await written(() => door.propose(changes));
}

/** As write(), and the root key begins to be replaced with it. */
export async function rotateRoot(
  { door }: RouteContext,
  changes: readonly AskedChange[],
): Promise<void> {
  await written(() => door.rotateRoot(changes));
}

/** As write(), and there are new tokens of these roles. */
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
