/**
 * Role now: what a peer's certificate is worth, given the state.
 *
 * The state has the last word about everything up to where it has come. So a manager that was demoted is a
 * worker from the moment on at which this peer's state shows it, whatever its certificate says; and a peer
 * whose state is old still listens to a manager that was promoted or let in since. A worker's
 * certificate never makes more than a worker: a promoted peer gets another one first.
 */
import type { Certificate, Role } from "./certificate.ts";
import type { MeshDoor } from "./door.ts";

export function roleNow(
  { nodeId, role, asOf }: Pick<Certificate, "nodeId" | "role" | "asOf">,
  door: Pick<MeshDoor, "members" | "index">,
): Role {
  if (role === "worker" || door.index() < asOf) return role;
  const members = door.members();
  // Without any member this peer has no state yet.
  if (members.length === 0) return role;
  return members.find((member) => member.nodeId === nodeId)?.role ?? "worker";
}
