/** Knock: tells a host that is off from one whose agent does not run, by a plain TCP connection to its agent's port. */
import { connect } from "node:net";
import type { DoorState } from "@gam/api";
import { hasCode } from "@gam/core";

const answerMs = 2_000;

/** `addresses`: `host:port`, as the node says. Resolves to the best of what they answer. */
export async function knock(addresses: readonly string[]): Promise<DoorState> {
  const found = await Promise.all(addresses.map(knockAt));
  return found.find((one) => one === "open") ?? found.find((one) => one === "refused") ?? "silent";
}

function knockAt(address: string): Promise<DoorState> {
  const at = address.lastIndexOf(":");
  const host = address.slice(0, at).replace(/^\[|\]$/g, "");
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(address.slice(at + 1)) });
    const end = (state: DoorState): void => {
      resolve(state);
      socket.destroy();
    };
    socket.setTimeout(answerMs, () => end("silent"));
    socket.once("connect", () => end("open"));
    socket.on("error", (thrown) => end(hasCode(thrown, "ECONNREFUSED") ? "refused" : "silent"));
  });
}
