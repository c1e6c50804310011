/** Autoscale answer: the services that are scaled by their load, from the state and from what hosts say of their tasks. */
import type { TaskId } from "@gam/core";
import {
  type AutoscaleTarget,
  amountOf,
  autoscaleOf,
  isWanted,
  replicasOf,
  type Service,
  showAmount,
  showTarget,
  type TaskUsage,
  type Usage,
  type View,
} from "@gam/state";
import type { AutoscaledService } from "@gam/state/answers";

/** Shape: `usage` as each host said it last. */
export function autoscaleAnswer(
  view: View,
  services: readonly Service[],
  usage: readonly (Usage | null)[],
): AutoscaledService[] {
  const loads = new Map(usage.flatMap((one) => one?.tasks ?? []).map((task) => [task.id, task]));
  return services.flatMap((service) => answerOf(view, service, loads) ?? []);
}

function answerOf(
  view: View,
  { ID, Spec, Gam }: Service,
  loads: ReadonlyMap<TaskId, TaskUsage>,
): AutoscaledService | undefined {
  const wish = autoscaleOf(Spec);
  if (wish === undefined || Gam.autoscale === undefined) return undefined;
  const running = view
    .tasksOf(ID)
    .filter((task) => isWanted(task) && task.Status.State === "running");
  const said = running.map((task) => loads.get(task.ID)).filter((load) => load !== undefined);
  return {
    id: ID,
    name: Spec.Name,
    replicas: replicasOf(Spec),
    running: running.length,
    min: wish.min,
    max: wish.max,
    targets: wish.targets.map((target) => ({
      metric: target.metric,
      target: showTarget(target),
      now: nowOf(target, said),
    })),
    advised: Gam.autoscale.advice?.now ?? null,
    decisions: Gam.autoscale.decisions,
  };
}

function nowOf(target: AutoscaleTarget, said: readonly TaskUsage[]): string {
  const amounts = said.map((load) => amountOf(target, load)).filter((one) => one !== undefined);
  if (amounts.length === 0) return "";
  return showAmount(target, amounts.reduce((a, b) => a + b, 0) / amounts.length);
}
