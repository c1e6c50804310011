/** Hosts asked: the filter by which a client asks for containers or events of other hosts, too. */
import type { Node } from "@gam/state";
import { nodeNaming } from "../answers/node-answer.ts";
import { ApiError } from "../request/api-error.ts";

export const hostsFilter = "gam.hosts";
/** The label, and the attribute of events, that names the host. */
export const hostLabel = "gam.host";
const allHosts = "all";

/**
 * Returns: the nodes that the filter's values name.
 *
 * Errors: ApiError 400 for an unknown host.
 */
export function nodesCalled(hosts: readonly string[], nodes: readonly Node[]): readonly Node[] {
  const { id, names } = nodeNaming;
  const isCalled = (node: Node, host: string): boolean =>
    host === allHosts || id(node) === host || names(node).includes(host);
  for (const host of hosts) {
    if (nodes.some((node) => isCalled(node, host))) continue;
    const remedy = `Use "all", or a host that "docker node ls" lists`;
    throw new ApiError(400, `Invalid filter '${hostsFilter}=${host}': no such host. ${remedy}`);
  }
  return nodes.filter((node) => hosts.some((host) => isCalled(node, host)));
}
