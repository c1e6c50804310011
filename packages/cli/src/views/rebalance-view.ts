/** Rebalance view: what `gam rebalance --plan` shows: moves that would be made, are made and were made, and why. */
import type { RebalanceReport, ShownMove } from "@gam/state/answers";
import { columns } from "./columns.ts";
import type { Paint } from "./status-view.ts";

/** Lines to print. */
export function rebalanceView(report: RebalanceReport, paint: Paint): string[] {
  const { auto, planned, open, past, stopped } = report;
  return [
    ...(planned.length === 0 ? ["Nothing to move: tasks are where they should be"] : []),
    ...table("WOULD MOVE", planned),
    ...(open.length === 0 ? [] : ["", ...table("MOVES NOW", open)]),
    ...(past.length === 0 ? [] : ["", "Last moves:", ...past.map(pastLine)]),
    ...(stopped === "" ? [] : ["", paint.red(`Stopped at the first failure: ${stopped}`)]),
    "",
    auto
      ? 'The cluster moves tasks by itself ("gam rebalance --auto off" ends that)'
      : 'The cluster moves no task by itself ("gam rebalance" moves them once)',
  ];
}

function table(title: string, moves: readonly ShownMove[]): string[] {
  if (moves.length === 0) return [];
  const rows = moves.map((move) => [nameOf(move), move.from, move.to, move.reason]);
  return columns([[title, "FROM", "TO", "WHY"], ...rows]);
}

function nameOf({ service, slot }: ShownMove): string {
  return slot === 0 ? service : `${service}.${slot}`;
}

/** Returns: a move that has ended, in a line. */
export function pastLine(move: RebalanceReport["past"][number]): string {
  const time = new Date(move.endedAtMs).toISOString().slice(11, 19);
  const how = move.problem === "" ? "" : `, not done: ${move.problem}`;
  return `${time}  ${nameOf(move)} from ${move.from} to ${move.to}: ${move.reason}${how}`;
}
