import { check, messageOf, rethrowInvariant } from "@gam/core";
import { EngineClient, EngineUnreachable, isEngineError } from "@gam/engine";

const answerMs = 5_000;
const checkVersion = check.object({
  Version: check.optional(check.string(256)),
  ApiVersion: check.optional(check.string(64)),
});
const checkInfo = check.object({
  DockerRootDir: check.optional(check.string(4096)),
  Swarm: check.optional(check.object({ LocalNodeState: check.string() })),
});

interface EngineFacts {
  /** `silent`: it takes calls and does not answer them. `old`: gam cannot use its version. */
  readonly state: "ready" | "stopped" | "silent" | "old";
  /** What was found; "" while it is ready. */
  readonly reason: string;
  readonly version: string;
  /** It is in a Docker swarm, which takes ports that gam needs. */
  readonly inSwarm: boolean;
  /** Where it keeps its data; "" where it does not say. */
  readonly root: string;
}

/** Asks the engine what it is, now. Takes bounded time; never rejects because of what an engine does. */
export async function lookAtEngine(socketPath: string): Promise<EngineFacts> {
  const client = new EngineClient(socketPath);
  const nothing = { version: "", inSwarm: false, root: "" };
  try {
    const said = checkVersion(
      await client.call({ method: "GET", path: "/version", limitMs: answerMs }),
      "version",
    );
    const version = said.Version ?? "";
    try {
      await client.negotiate(answerMs);
    } catch (thrown) {
      if (!(thrown instanceof EngineUnreachable)) throw thrown;
      return { ...nothing, version, state: "old", reason: thrown.message };
    }
    const { DockerRootDir, Swarm } = checkInfo(
      await client.call({ method: "GET", path: "/info", limitMs: answerMs }),
      "info",
    );
    const inSwarm = (Swarm?.LocalNodeState ?? "inactive") !== "inactive";
    return { state: "ready", reason: "", version, inSwarm, root: DockerRootDir ?? "" };
  } catch (thrown) {
    rethrowInvariant(thrown);
    // It took the connection: only a call that is under way runs into its time limit.
    const isLate = isEngineError(thrown) && /no answer within/.test(thrown.message);
    return { ...nothing, state: isLate ? "silent" : "stopped", reason: plain(thrown) };
  } finally {
    client.close();
  }
}

function plain(thrown: unknown): string {
  const message = messageOf(thrown).replace(/^Cannot (?:reach|wait for) engine: /, "");
  const path = / (\/\S+)$/.exec(message)?.[1] ?? "its socket";
  if (message.includes("ENOENT")) return `there is no socket ${path}`;
  if (message.includes("ECONNREFUSED")) return `nothing listens at ${path}`;
  return message;
}
