import type { Node } from "@gam/state";
import type { ClusterDoor } from "../door/door.ts";
import type { Naming } from "../request/reference.ts";
import { nodeTlsInfo } from "./tls-info.ts";

/** A node goes by its host's name, which need not be its alone. */
export const nodeNaming: Naming<Node> = {
  kind: "node",
  id: (node) => node.ID,
  names: (node) => [hostnameOf(node), ...(node.Spec.Name ? [node.Spec.Name] : [])],
};

/** A node that has not said its name yet goes by its id. */
export function hostnameOf({ ID, Description }: Node): string {
  return Description.Hostname || ID;
}

/** `host:port` at which a node's peer was found last. */
export function managerAddress(node: Node): string {
  return node.Gam.addresses[0] ?? node.Status.Addr;
}

/** The Engine API's node. Every node that may vote is a manager to clients. */
export function nodeAnswer(node: Node, door: ClusterDoor): object {
  const { ID, Version, CreatedAt, UpdatedAt, Spec } = node;
  const TLSInfo = nodeTlsInfo(node, door.view().cluster);
  const Description = { ...node.Description, Hostname: hostnameOf(node), TLSInfo };
  // A node whose engine is gone is down, and its agent may answer and vote all the same.
  const lost = node.Status.State === "down" && node.Gam.engine.ready;
  const answers = ID === door.self || (!lost && door.reachable(ID));
  const Status = answers || door.leader() !== undefined ? node.Status : unknownStatus(node);
  const seen = { ID, Version, CreatedAt, UpdatedAt, Spec, Description, Status };
  if (Spec.Role !== "manager") return seen;
  return {
    ...seen,
    ManagerStatus: {
      ...(door.leader() === ID && { Leader: true }),
      Reachability: answers ? "reachable" : "unreachable",
      Addr: managerAddress(node),
    },
  };
}

/** Only a leader says that a node is down. Where there is none, what it said last may be long untrue. */
function unknownStatus({ Status }: Node): Node["Status"] {
  if (Status.State === "down") return Status;
  return { ...Status, State: "unknown", Message: "Silent, and there is no leader to judge it" };
}
