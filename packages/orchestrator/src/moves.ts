/**
 * Moves: which moves of volumes are given up.
 *
 * A service stops while its volume is moved. If the new node is lost, the service goes on where its data is. If the
 * old node is lost, the move waits for it: nobody else has the data.
 */
import type { PlannedChange, View } from "@gam/state";

export function planMoves(view: View): PlannedChange[] {
  return view.volumes().flatMap(({ ID: id, Move }): PlannedChange[] => {
    const target = Move && view.node(Move.to);
    if (Move === undefined || target?.Status.State === "ready") return [];
    if (target !== undefined && target.Status.State !== "down") return [];
    const error = `${target?.Description.Hostname || Move.to} is down`;
    return [{ kind: "abandonVolumeMove", id, move: Move.id, error }];
  });
}
