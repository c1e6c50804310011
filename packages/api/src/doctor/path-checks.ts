/** Path checks: whether each host reaches each other one, for the agents and for containers. */
import type { NodeId } from "@gam/core";
import type { Node } from "@gam/state";
import type { Examination } from "../door/doctor-facts.ts";
import { failed, hostOf, passed, type Ruling, unknown } from "./ruling.ts";

type Path = Examination["paths"][number];

/** `others`: those that answered themselves. What others do not answer is reported once, and not for each pair. */
export function toOthers(
  node: Node,
  own: Examination,
  { others, isProbed }: { readonly others: readonly Node[]; readonly isProbed: boolean },
): Ruling[] {
  return others.flatMap((other) => {
    if (other.ID === node.ID) return [];
    const ends = [hostOf(node), hostOf(other)] as const;
    const paths = own.paths.filter(({ to }) => to === other.ID);
    const found = isProbed
      ? [unknown("overlay", pairOf(ends), "One of the two hosts could not probe the path")]
      : [];
    return [
      mesh(ends, other, own.connected),
      ...(paths.length === 0 ? found : paths.map((path) => overlay(ends, path))),
    ];
  });
}

type Ends = readonly [from: string, to: string];

function pairOf([from, to]: Ends): string {
  return `${from} to ${to}`;
}

function mesh(ends: Ends, other: Node, connected: readonly NodeId[]): Ruling {
  const pair = pairOf(ends);
  if (connected.includes(other.ID)) return passed("mesh", pair);
  const found = `There is no connection to ${other.Gam.addresses[0] ?? "its address"}`;
  return failed("mesh", pair, { found, ...opened(meshPort(other)) }, ends);
}

/** Returns: `7946/tcp`. */
export function meshPort({ Gam }: Node): string {
  const [address = ""] = Gam.addresses;
  return `${address.slice(address.lastIndexOf(":") + 1) || "7946"}/tcp`;
}

const betweenTheTwo = "between the two";

function opened(port: string, more = ""): Pick<Ruling, "remedy" | "remedyAt"> {
  const remedyAt = (where: string): string => `Open ${port} ${where}, both ways${more}`;
  return { remedy: remedyAt(betweenTheTwo), remedyAt };
}

function overlay(ends: Ends, { network, port, bytes, result }: Path): Ruling {
  const pair = pairOf(ends);
  const way = network === "" ? `at ${port}` : `through network "${network}"`;
  if (result === "whole") return passed("overlay", pair);
  if (result === "small") {
    const found = `Short packets arrive ${way}, those of ${bytes} bytes do not`;
    const remedyAt = (where: string): string =>
      `Let the network ${where} carry packets of the devices' MTU, or lower the MTU of the devices ("ip link set dev DEVICE mtu 1400")`;
    return failed("overlay", pair, { found, remedy: remedyAt(betweenTheTwo), remedyAt }, ends);
  }
  if (network === "") {
    const found = `Packets to ${port} do not arrive`;
    return failed("overlay", pair, { found, ...opened(port) }, ends);
  }
  const found = `Packets ${way} do not arrive, or the answers do not`;
  const firewall = ". If a host has a firewall, also open 53/udp from gam's bridges";
  return failed("overlay", pair, { found, ...opened(port, firewall) }, ends);
}
