/**
 * Locked networks: a locked manager cannot read which networks the cluster has. A network that its engine does not
 * know may be one of them, so "not found" would be wrong.
 */
import type { ClusterDoor } from "../door/door.ts";
import { ApiError, lockedSwarm } from "../request/api-error.ts";
import type { Engine } from "./engine.ts";

/** Errors: ApiError 503 on a locked manager whose engine does not have all these networks; those of Engine.ask(). */
export async function insistOnEngineNetworks(
  { door, engine }: { readonly door: ClusterDoor; readonly engine: Engine },
  refs: readonly string[],
): Promise<void> {
  if (door.state() !== "locked") return;
  for (const ref of refs) {
    const { status } = await engine.ask("GET", `/networks/${encodeURIComponent(ref)}`);
    if (status === 404) throw new ApiError(503, lockedSwarm);
  }
}
