/**
 * Join request: makes a host that asks to join a member of the cluster.
 *
 * Decides which hosts it refuses. The mesh has verified the token before.
 */
import { GamError, type NodeId } from "@gam/core";
import type { JoinRequest } from "@gam/mesh";
import type { AskedChange, NewNode, View } from "@gam/state";

/** The part of a member that lets others in. */
export interface Admitting {
  readonly view: View;
  /** Errors: as ClusterMember.propose(). */
  propose(changes: readonly AskedChange[]): Promise<unknown>;
}

/** Errors: REFUSED for a key that a member has already; those of propose(). */
export async function admit(member: Admitting, request: JoinRequest): Promise<void> {
  const { nodeId } = request;
  const known = member.view.node(nodeId);
  if (known !== undefined && known.Status.State !== "unknown") {
    // That node has voted and acknowledged entries. A host that joins with its key has no record of that.
    throw new GamError(
      "REFUSED",
      `this host's key already belongs to node "${nodeId}". Run the join again: it will use a new key`,
    );
  }
  await member.propose([{ kind: "joinNode", node: newNode({ id: nodeId, ...request }) }]);
}

type NewHost = Pick<JoinRequest, "role" | "addresses" | "availability" | "dialect">;

/** The node of a host that joins, until its own peer describes it. */
export function newNode(host: NewHost & { readonly id: NodeId }): NewNode {
  const { id, role, addresses, availability, dialect } = host;
  return {
    ID: id,
    Spec: { Labels: {}, Role: role, Availability: availability },
    Description: {
      Hostname: "",
      Platform: { Architecture: "", OS: "" },
      Resources: { NanoCPUs: 0, MemoryBytes: 0 },
      Engine: { EngineVersion: "", Labels: {}, Plugins: [] },
    },
    Status: { State: "unknown", Addr: "" },
    Gam: { addresses, engine: { ready: false, reason: "" }, engineLostAtMs: 0, dialect },
  };
}
