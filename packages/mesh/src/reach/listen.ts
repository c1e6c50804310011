/** Listen: starts libp2p on the address that this peer was given. */
import { GamError, messageOf, rethrowInvariant } from "@gam/core";
import { type Holder, holderOfPort, holderText } from "@gam/files";
import type { Libp2p } from "@libp2p/interface";
import { type Address, addressOf, parseAddress } from "../trust/address.ts";

/**
 * Returns: the address that this peer is bound to; its port is the one that was taken when 0 was asked for.
 *
 * Errors: IN_USE, with the process that has the port, or what the operating system said.
 */
export async function listen(
  libp2p: Pick<Libp2p, "start" | "getMultiaddrs">,
  { host, port }: Address,
): Promise<Address> {
  try {
    await libp2p.start();
  } catch (thrown) {
    rethrowInvariant(thrown);
    // libp2p puts the stack of the one error with the reason into its own message.
    const message = messageOf(thrown);
    const why = /listen E\w+: [^\n]*/.exec(message)?.[0] ?? message;
    const holder = why.includes("EADDRINUSE") ? await holderOfPort(port) : undefined;
    const found =
      holder === undefined ? why : `${holderText(holder)} listens there. ${remedyFor(holder)}`;
    throw new GamError("IN_USE", `Cannot listen on "${host}:${port}": ${found}`, { cause: thrown });
  }
  const bound = libp2p.getMultiaddrs().map(addressOf)[0];
  return { host, port: bound === undefined ? port : parseAddress(bound).port };
}

function remedyFor({ name, pid }: Holder): string {
  return name === "dockerd"
    ? 'The engine is in Docker Swarm mode: run "docker --host unix:///var/run/docker.sock swarm leave --force". On a host in no mesh, GAM_LISTEN gives the agent another port'
    : `End it ("kill ${pid}"). On a host in no mesh, GAM_LISTEN gives the agent another port`;
}
