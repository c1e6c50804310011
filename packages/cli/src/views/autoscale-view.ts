/** Autoscale view: what `gam autoscale` shows: a row for each service, or one service with its decisions. */
import type { AutoscaledService, AutoscaleReport } from "@gam/state/answers";
import { columns } from "./columns.ts";
import type { Paint } from "./status-view.ts";

export interface AutoscaleViewOptions {
  readonly paint: Paint;
  /** With all decisions of the service. */
  readonly isOne: boolean;
}

/** Lines to print. */
export function autoscaleView(
  { services }: AutoscaleReport,
  { paint, isOne }: AutoscaleViewOptions,
): string[] {
  if (services.length === 0) {
    return ['No service is scaled by its load. The labels "gam.autoscale.…" ask for it'];
  }
  const titles = ["SERVICE", "REPLICAS", "BOUNDS", "LOAD", "TARGET", "LAST DECISION"];
  const rows = [titles, ...services.map((service) => [...rowOf(service), lastOf(service)])];
  if (!isOne) return columns(rows);
  return services.flatMap((service) => [
    ...columns([titles.slice(0, -1), rowOf(service)]),
    "",
    ...decisionsOf(service, paint),
  ]);
}

function rowOf({ name, replicas, running, min, max, targets }: AutoscaledService): string[] {
  const loads = targets.map(({ metric, now }) => `${metric} ${now || "unknown"}`);
  const wanted = targets.map(({ metric, target }) => `${metric} ${target}`);
  return [name, `${running}/${replicas}`, `${min} to ${max}`, loads.join(", "), wanted.join(", ")];
}

function lastOf({ decisions }: AutoscaledService): string {
  const last = decisions.at(-1);
  return last === undefined ? "none" : `${timeOf(last.atMs)} ${last.from} to ${last.to}`;
}

function decisionsOf({ replicas, advised, decisions }: AutoscaledService, paint: Paint): string[] {
  const pending =
    advised === null || advised === replicas
      ? []
      : [`The load asks for ${advised} now; the window is not over`];
  if (decisions.length === 0) return ["No decision yet", ...pending];
  const rows = decisions.map(({ atMs, from, to, reason }) => [
    timeOf(atMs),
    { text: `${from} to ${to}`, paint: to > from ? paint.yellow : paint.green },
    reason,
  ]);
  return [...columns([["WHEN", "REPLICAS", "WHY"], ...rows]), ...pending];
}

/** Returns: the time of day in UTC, with the date: decisions may be days apart. */
function timeOf(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 19).replace("T", " ");
}
