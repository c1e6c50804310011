/** Rebalance answer: moves of tasks, with the names that people know. */
import { noRebalance, type RebalanceMove, type View } from "@gam/state";
import type { RebalanceReport, ShownMove } from "@gam/state/answers";

/** Shape: `planned` as this peer would move tasks now. */
export function rebalanceAnswer(view: View, planned: readonly RebalanceMove[]): RebalanceReport {
  const { auto, isAsked, open, past, stopped } = view.cluster?.Rebalance ?? noRebalance;
  return {
    auto,
    isAsked,
    planned: planned.map((move) => shown(view, move)),
    open: open.map((move) => shown(view, move)),
    past: past.map((move) => {
      return { ...shown(view, move), endedAtMs: move.endedAtMs, problem: move.problem };
    }),
    stopped: stopped?.reason ?? "",
  };
}

function shown(view: View, { service, task, from, to, reason }: RebalanceMove): ShownMove {
  const nameOf = (id: typeof from): string => view.node(id)?.Description.Hostname || id;
  return {
    service: view.service(service)?.Spec.Name ?? service,
    slot: view.task(task)?.Slot ?? 0,
    from: nameOf(from),
    to: nameOf(to),
    reason,
  };
}
