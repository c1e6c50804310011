import type { Node } from "@gam/state";
import type { ClusterDoor } from "../door/door.ts";
import type { Naming } from "../request/reference.ts";
import { nodeTlsInfo } from "./tls-info.ts";

/** Nodes are named by hostname. Several may have the same one. */
export const nodeNaming: Naming<Node> = {
  kind: "node",
  id: (node) => node.ID,
  names: (node) => [hostnameOf(node), ...(node.Spec.Name ? [node.Spec.Name] : [])],
};

/** Returns: the hostname; the id until the node has reported its hostname. */
export function hostnameOf({ ID, Description }: Node): string {
  return Description.Hostname || ID;
}

/** Returns: `host:port` at which the node's peer was last reached. */
export function managerAddress(node: Node): string {
  return node.Gam.addresses[0] ?? node.Status.Addr;
}

/** Returns: the Engine API's node. */
export function nodeAnswer(node: Node, door: ClusterDoor): object {
  const { ID, Version, CreatedAt, UpdatedAt, Spec } = node;
  const TLSInfo = nodeTlsInfo(node, door.view().cluster);
  const { Labels = {}, ...engine } = node.Description.Engine;
  const Engine = Object.keys(Labels).length > 0 ? { ...engine, Labels } : engine;
  const Description = { ...node.Description, Hostname: hostnameOf(node), Engine, TLSInfo };
  // A node without its engine has the state "down", but its agent may still answer and vote.
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

/** Only a leader commits that a node is down. Without a leader, the committed status may be long outdated. */
function unknownStatus({ Status }: Node): Node["Status"] {
  if (Status.State === "down") return Status;
  return {
    ...Status,
    State: "unknown",
    Message: "Does not answer, and there is no leader to judge whether it is down",
  };
}
