/** Room: what all routes share, and the two things that they all do with the door. */
import { setMaxListeners } from "node:events";
import { GamError } from "@gam/core";
import type { AskedChange, NodeRole, View } from "@gam/state";
import type { FastifyReply } from "fastify";
import type { ApiLog } from "./api-log.ts";
import type { Attachments } from "./attachments.ts";
import type { ClusterDoor } from "./door.ts";
import type { Engine } from "./engine.ts";
import { asInner, notInSwarm, Refusal } from "./refusal.ts";
import type { SwarmEvents } from "./swarm-events.ts";

export interface Room {
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

/** The state, as new as the last write that anybody was told of. Errors: Refusal 503 outside of a cluster. */
export async function freshView({ door }: Room): Promise<View> {
  requireActive(door);
  await door.fresh();
  return door.view();
}

/** Errors: Refusal 503 outside of a cluster. */
export function requireActive(door: ClusterDoor): void {
  if (door.state() === "inactive") throw new Refusal(503, notInSwarm);
}

/** Proposes, and gives refusals the words of Swarm's manager. */
export async function write({ door }: Room, changes: readonly AskedChange[]): Promise<void> {
  await written(() => door.propose(changes));
}

/** As write(), and the root key begins to be replaced with it. */
export async function rotateRoot({ door }: Room, changes: readonly AskedChange[]): Promise<void> {
  await written(() => door.rotateRoot(changes));
}

/** As write(), and there are new tokens of these roles. */
export async function rotateTokens(
  { door }: Room,
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
