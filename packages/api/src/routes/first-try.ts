/**
 * First try: a write that is computed from this peer's copy of the state, which may be old.
 *
 * Asking the leader for the latest log index first costs as much as the write, and is seldom needed: a write is
 * judged where it is applied, against the version that the client names. So only a refused write is computed
 * again, from a copy that has all acknowledged writes: the old copy may be the reason for the refusal.
 */
import { GamError } from "@gam/core";
import type { AskedChange, View } from "@gam/state";
import { ApiError } from "../request/api-error.ts";
import { type RouteContext, requireActive, sureView, write } from "./route-context.ts";

/** Returns: whether the write had no effect for certain. A lost write may still be applied. */
function isRefused(thrown: unknown): boolean {
  return thrown instanceof ApiError || (thrown instanceof GamError && refused.has(thrown.code));
}

const refused: ReadonlySet<GamError["code"]> = new Set([
  "BAD_REQUEST",
  "IN_USE",
  "NAME_IN_USE",
  "NOT_FOUND",
  "REFUSED",
  "STALE_VERSION",
]);

/**
 * Writes a change. Calls `changeIn` again with a newer view after a refusal. Errors: its own; those of write();
 * NO_LEADER if
 * there is no newer view; ApiError 503 outside of a cluster.
 */
export async function writeChange(
  context: RouteContext,
  changeIn: (view: View) => AskedChange,
): Promise<void> {
  requireActive(context.door);
  try {
    await write(context, [changeIn(context.door.view())]);
  } catch (thrown) {
    if (!isRefused(thrown)) throw thrown;
    await write(context, [changeIn(await sureView(context))]);
  }
}
