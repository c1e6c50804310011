/**
 * First try: a write that is worked out from this copy of the state as it is.
 *
 * To ask the leader first how far the log has come costs as much as the write. It is seldom needed: a write is judged
 * where it is applied, against the version that the client names. So only what is refused is worked out again,
 * from a copy that is as new as the last acknowledged write: the old copy may be the reason.
 */
import { GamError } from "@gam/core";
import type { AskedChange, View } from "@gam/state";
import { ApiError } from "../request/api-error.ts";
import { freshView, type RouteContext, requireActive, write } from "./route-context.ts";

/** Whether nothing came of the write. One that is lost may be applied yet. */
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
 * `changeIn` is called again with a newer view where something was refused. Errors: its own; as write(); ApiError 503
 * outside of a cluster.
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
    await write(context, [changeIn(await freshView(context))]);
  }
}
