import { lstat, unlink } from "node:fs/promises";
import { connect } from "node:net";
import { GamError, hasCode } from "@gam/core";

/**
 * Removes a socket file on which no process listens any more, so that the agent can listen there.
 *
 * Errors: GamError REFUSED when a process answers there, or when the file is not a socket.
 */
export async function clearSocketFile(path: string): Promise<void> {
  const found = await lstat(path).catch(absent);
  if (found === undefined) return;
  if (!found.isSocket()) {
    const advice = "Remove it, or set --socket to another path";
    throw new GamError("REFUSED", `Cannot listen on ${path}: it is not a socket. ${advice}`);
  }
  if (await answers(path)) {
    const advice = "Stop that agent, or set --socket to another path";
    throw new GamError(
      "REFUSED",
      `Cannot listen on ${path}: another agent answers there. ${advice}`,
    );
  }
  await unlink(path).catch(absent);
}

function absent(thrown: unknown): undefined {
  if (hasCode(thrown, "ENOENT")) return undefined;
  throw thrown;
}

function answers(path: string): Promise<boolean> {
  return new Promise((settle) => {
    const socket = connect(path);
    socket.on("connect", () => settle(true));
    socket.on("error", () => settle(false));
    socket.on("connect", () => socket.destroy());
  });
}
