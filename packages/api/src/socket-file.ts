import { lstat, unlink } from "node:fs/promises";
import { connect } from "node:net";
import { GamError, hasCode } from "@gam/core";

/**
 * Makes room for a listening socket: removes a socket file that nobody listens on any more.
 *
 * Errors: GamError REFUSED when somebody answers there, or when the file is no socket.
 */
export async function clearSocketFile(path: string): Promise<void> {
  const found = await lstat(path).catch(absent);
  if (found === undefined) return;
  if (!found.isSocket()) throw new GamError("REFUSED", `Cannot listen on ${path}: it is no socket`);
  if (await answers(path)) {
    throw new GamError("REFUSED", `Cannot listen on ${path}: another agent answers there`);
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
