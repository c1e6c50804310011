/** Plan view: what `gam stack deploy --plan` and `gam diff` show of a plan. */
import type { PlanField, PlanObject, PlanReport, PlanTask, PlanTasks } from "@gam/state/answers";
import type { Paint } from "./status-view.ts";

/** Letters of a value, and hosts of one line. */
const valueMax = 120;
const hostsMax = 20;

/** Lines to print: the objects and their fields. */
export function changesView({ objects }: Pick<PlanReport, "objects">, paint: Paint): string[] {
  if (objects.length === 0) return ["Nothing is different"];
  return objects.flatMap((one) => objectLines(one, paint));
}

/** Lines to print: the objects, their fields, and what happens to tasks. */
export function planView(report: PlanReport, paint: Paint): string[] {
  const { objects, tasks, isComplete } = report;
  if (objects.length === 0 && tasks.length === 0) return ["Nothing would change"];
  const late = "The update takes longer than can be foreseen; this is a state in between";
  return [
    ...objects.flatMap((one) => objectLines(one, paint)),
    ...(tasks.length === 0 ? [] : ["", "Tasks, if all that is started stays well:"]),
    ...tasks.flatMap((one) => taskLines(one, paint)),
    ...(isComplete ? [] : ["", paint.yellow(late)]),
  ];
}

function objectLines({ kind, name, action, fields }: PlanObject, paint: Paint): string[] {
  const words = { create: "+ create", update: "~ change", remove: "- remove", none: "  keep" };
  const colours = { create: paint.green, update: paint.yellow, remove: paint.red, none: paint.dim };
  const head = colours[action](`${words[action]} ${kind} ${name}`);
  return [head, ...fields.map(fieldLine)];
}

/** Returns: "    path: old → new". */
export function fieldLine({ path, before, after }: PlanField): string {
  const [was, is] = [cut(before), cut(after)];
  if (was === "") return `    ${path}: ${is}`;
  return is === "" ? `    ${path}: ${was} → none` : `    ${path}: ${was} → ${is}`;
}

function cut(text: string): string {
  return text.length <= valueMax ? text : `${text.slice(0, valueMax)}…`;
}

function taskLines(
  { service, kept, stopped, started, waiting, update }: PlanTasks,
  paint: Paint,
): string[] {
  const counts = [
    ...(kept > 0 ? [`${kept} kept`] : []),
    ...(stopped.length > 0 ? [`${stopped.length} stopped`] : []),
    ...(started.length > 0 ? [`${started.length} started`] : []),
    ...(waiting.length > 0 ? [paint.red(`${waiting.length} without a node`)] : []),
  ];
  const rolled = update === "" ? "" : ` (${update})`;
  return [
    `  ${paint.bold(service)}: ${counts.length === 0 ? "no tasks" : counts.join(", ")}${rolled}`,
    ...(started.length > 0 ? [`    started on ${hosts(started)}`] : []),
    ...(stopped.length > 0 ? [`    stopped on ${hosts(stopped)}`] : []),
    ...reasons(waiting).map((line) => `    ${paint.red(line)}`),
  ];
}

/** Returns: "host1 (2), host2". */
function hosts(tasks: readonly PlanTask[]): string {
  const counts = new Map<string, number>();
  for (const { node } of tasks) counts.set(node, (counts.get(node) ?? 0) + 1);
  const named = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  const shown = named.slice(0, hostsMax).map(([node, count]) => {
    const name = node === "" ? "no node" : node;
    return count === 1 ? name : `${name} (${count})`;
  });
  const more = named.length - shown.length;
  return more > 0 ? `${shown.join(", ")} and ${more} more` : shown.join(", ");
}

function reasons(waiting: PlanTasks["waiting"]): string[] {
  const groups = Map.groupBy(waiting, ({ why }) => why);
  return [...groups].map(([why, tasks]) => `${tasks.map(({ name }) => name).join(", ")}: ${why}`);
}
