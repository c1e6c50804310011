/**
 * Role now: the role that a peer's certificate gives it, in view of the state.
 *
 * The state overrides any certificate that is not newer. So a demoted manager is a worker as soon as this
 * peer's state shows it, whatever its certificate says. And a peer with an old state still accepts a manager
 * that was promoted or let in since. A worker's certificate never gives more than a worker's role: a promoted
 * peer gets a new certificate first.
 */
import type { Certificate, Role } from "./certificate.ts";
import type { MeshDoor } from "./door.ts";

export function roleNow(
  { nodeId, role, asOf }: Pick<Certificate, "nodeId" | "role" | "asOf">,
  door: Pick<MeshDoor, "members" | "index">,
): Role {
  if (role === "worker" || door.index() < asOf) return role;
  const members = door.members();
  // No members: this peer has no state yet.
  if (members.length === 0) return role;
  return members.find((member) => member.nodeId === nodeId)?.role ?? "worker";
}
