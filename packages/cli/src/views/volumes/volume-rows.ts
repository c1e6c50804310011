/** Volume rows: where the data of services is, as a table, and how far a move is, as a line. */
import type { VolumeMoveSummary, VolumeSummary } from "@gam/state/answers";

const none = "-";

/** Returns: a heading, then one row for each host that has data of a volume. */
export function volumeRows(volumes: readonly VolumeSummary[]): readonly (readonly string[])[] {
  const rows = volumes.flatMap((volume) => {
    const { name, homes } = volume;
    if (homes.length === 0) return [[name, none, none, noteOf(volume) || "on no host"]];
    return homes.map(({ host, state, users }, at) => {
      const notes = [state === "ready" ? "" : `host is ${state}`, at === 0 ? noteOf(volume) : ""];
      return [name, host, users.join(", ") || none, notes.filter((note) => note !== "").join("; ")];
    });
  });
  return [["VOLUME", "HOST", "USED BY", "NOTE"], ...rows];
}

function noteOf(volume: VolumeSummary): string {
  const { move, lastMove, restore, lastRestore, leftovers, lostWith } = volume;
  const notes: string[] = [];
  if (restore !== undefined) notes.push(`being restored on ${restore.host}`);
  else if (lastRestore?.error !== undefined) notes.push(`restore failed: ${lastRestore.error}`);
  if (move !== undefined) notes.push(progressOf(move));
  else if (lastMove?.error !== undefined) {
    notes.push(`move to ${lastMove.to} failed: ${lastMove.error}`);
  }
  if (lostWith !== undefined) notes.push(`was on ${lostWith}, which was removed`);
  if (leftovers.length > 0)
    notes.push(`data of an earlier move is left on ${leftovers.join(", ")}`);
  return notes.join("; ");
}

export function progressOf({ from, to, bytes, totalBytes }: VolumeMoveSummary): string {
  const sizes = totalBytes === 0 ? "" : `: ${mebibytes(bytes)} of ${mebibytes(totalBytes)} MiB`;
  return `moving from ${from} to ${to}${sizes}`;
}

function mebibytes(bytes: number): string {
  return String(Math.round(bytes / 2 ** 20));
}
