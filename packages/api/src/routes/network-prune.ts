/** Network prune: removes the cluster's unused networks. */
import { GamError } from "@gam/core";
import type { Network } from "@gam/state";
import { ApiError } from "../request/api-error.ts";
import type { Filters } from "../request/filters.ts";
import type { RouteContext } from "./route-context.ts";

/** Removes the unused networks that pass the filters. Returns: their names. */
export async function pruneNetworks(
  { door }: RouteContext,
  filters: Filters,
  nowMs: number,
): Promise<readonly string[]> {
  const untilMs = filters.has("until") ? momentOf(filters.values("until"), nowMs) : undefined;
  const removed: string[] = [];
  for (const network of door.view().networks()) {
    if (network.Ingress || !isMeant(network, filters, untilMs)) continue;
    try {
      await door.propose([{ kind: "removeNetwork", id: network.Id }]);
      removed.push(network.Name);
    } catch (thrown) {
      // The network is in use, or was removed meanwhile.
      const code = thrown instanceof GamError ? thrown.code : undefined;
      if (code !== "IN_USE" && code !== "NOT_FOUND") throw thrown;
    }
  }
  return removed;
}

function isMeant(
  { Labels, Created }: Network,
  filters: Filters,
  untilMs: number | undefined,
): boolean {
  if (untilMs !== undefined && Date.parse(Created) >= untilMs) return false;
  const spared = filters.values("label!").length > 0 && filters.labels("label!", Labels);
  return filters.labels("label", Labels) && !spared;
}

const unitMs: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** Reads seconds since 1970, a time, or an age: `24h`, `1h30m`. Returns: ms since 1970. Errors: ApiError 400. */
function momentOf(values: readonly string[], nowMs: number): number {
  const [text = ""] = values;
  if (values.length > 1) throw new ApiError(400, "more than one until filter specified");
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  if (/^(\d+(\.\d+)?(ms|[hms]))+$/.test(text)) {
    const parts = [...text.matchAll(/([\d.]+)(ms|[hms])/g)];
    const agoMs = parts.map(([, count, unit = ""]) => Number(count) * (unitMs[unit] ?? 0));
    return nowMs - agoMs.reduce((sum, part) => sum + part, 0);
  }
  const moment = Date.parse(text);
  if (Number.isNaN(moment)) throw new ApiError(400, `invalid value for "until": "${text}"`);
  return moment;
}
