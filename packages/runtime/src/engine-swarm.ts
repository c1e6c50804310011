import { check } from "@gam/core";
import { EngineClient, isEngineError } from "@gam/engine";

const answerMs = 5_000;
const info = check.object({
  Swarm: check.optional(check.object({ LocalNodeState: check.string() })),
});

/**
 * Whether the engine is in a Docker swarm, which takes ports that gam needs.
 *
 * Returns: false also when the engine does not answer; EngineWatch reports that.
 */
export async function isInSwarm(socketPath: string): Promise<boolean> {
  const client = new EngineClient(socketPath);
  try {
    const answer = await client.call({ method: "GET", path: "/info", limitMs: answerMs });
    const state = info(answer, "info").Swarm?.LocalNodeState ?? "inactive";
    return state !== "inactive";
  } catch (thrown) {
    if (isEngineError(thrown)) return false;
    throw thrown;
  } finally {
    client.close();
  }
}
