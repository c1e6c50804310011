/** Task routes. */
import {
  containerName,
  type Task,
  type TaskState,
  taskStates,
  UpToDate,
  type View,
} from "@gam/state";
import type { FastifyInstance } from "fastify";
import { nodeNaming } from "../answers/node-answer.ts";
import { serviceNaming } from "../answers/service-answer.ts";
import { taskAnswer, taskNaming } from "../answers/task-answer.ts";
import { Filters } from "../request/filters.ts";
import { Query } from "../request/query.ts";
import { resolve } from "../request/reference.ts";
import { freshView, type RouteContext, requireActive } from "./route-context.ts";

interface Ref {
  readonly Params: { readonly ref: string };
}

const filterKeys = [
  "_up-to-date",
  "desired-state",
  "id",
  "label",
  "name",
  "node",
  "runtime",
  "service",
];

export function taskRoutes(app: FastifyInstance, context: RouteContext): void {
  app.get("/tasks", async (request) => {
    requireActive(context.door);
    const filters = new Filters(new Query(request.url).text("filters"), filterKeys);
    const view = await freshView(context);
    const nowMs = Date.now();
    return listTasks(view, filters).map((task) => taskAnswer(task, view, nowMs));
  });

  app.get<Ref>("/tasks/:ref", async (request) => {
    const view = await freshView(context);
    const task = resolve(request.params.ref, view.tasks(), taskNaming);
    return taskAnswer(task, view, Date.now());
  });
}

/** Errors: ApiError 404 for an unknown service or node, 500 for an unknown state. */
function listTasks(view: View, filters: Filters): readonly Task[] {
  const services = new Set(
    filters.values("service").map((ref) => resolve(ref, view.services(), serviceNaming).ID),
  );
  const nodes = new Set(
    filters.values("node").map((ref) => resolve(ref, view.nodes(), nodeNaming).ID),
  );
  const states = filters.words<TaskState>("desired-state", taskStates);
  // Polling clients ask for one service again and again, and its tasks are indexed.
  const candidates =
    services.size > 0 ? [...services].flatMap((id) => view.tasksOf(id)) : view.tasks();
  const isWanted = filters.has("_up-to-date") ? wantedIn(view) : () => true;
  return candidates.filter(
    (task) =>
      (nodes.size === 0 || (task.NodeID !== undefined && nodes.has(task.NodeID))) &&
      (states.length === 0 || states.includes(task.DesiredState)) &&
      filters.prefix("id", task.ID) &&
      filters.prefix("name", containerName(task)) &&
      filters.exact("runtime", "container") &&
      filters.clusterLabels(
        "label",
        view.service(task.ServiceID)?.Spec.Labels ?? task.Gam.serviceLabels,
      ) &&
      isWanted(task),
  );
}
/** Returns: a filter for up-to-date tasks. It includes tasks that are shutting down: clients sort by state. */
function wantedIn(view: View): (task: Task) => boolean {
  const judges = new Map(
    view.services().map((service) => [service.ID, new UpToDate(service, view)]),
  );
  return (task) => {
    const node = task.NodeID === undefined ? undefined : view.node(task.NodeID);
    return judges.get(task.ServiceID)?.includes(task, node) ?? false;
  };
}
