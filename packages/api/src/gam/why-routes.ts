/** Why routes: why a task, a service or a node is as it is. The door computes it; the hosts add logs. */
import { isWanted, type Node, type Service, slotName, type Task, type View } from "@gam/state";
import type { WhyReport } from "@gam/state/answers";
import type { FastifyInstance } from "fastify";
import { nodeNaming } from "../answers/node-answer.ts";
import { serviceNaming } from "../answers/service-answer.ts";
import { taskNaming } from "../answers/task-answer.ts";
import type { WhySubject } from "../door/door.ts";
import { lastWords } from "../logs/last-words.ts";
import { ApiError } from "../request/api-error.ts";
import { find } from "../request/reference.ts";
import { freshView, type RouteContext, requireActive } from "../routes/route-context.ts";

interface Ref {
  readonly Params: { readonly ref: string };
}

export function whyRoutes(app: FastifyInstance, context: RouteContext): void {
  const { door, containers } = context;

  app.get<Ref>("/gam/v1/why/:ref", async (request): Promise<WhyReport> => {
    requireActive(door);
    const { ref } = request.params;
    const view = await freshView(context);
    const subject = subjectOf(view, ref);
    const report = subject && door.why(subject);
    if (report === undefined) {
      const advice = 'Name a service, a task ("web.1" or its id) or a node';
      throw new ApiError(404, `Cannot explain "${ref}": there is no such thing. ${advice}`);
    }
    const tasks = await Promise.all(
      report.tasks.map(async (one) => {
        const task = view.task(one.id as Task["ID"]);
        return task === undefined ? one : { ...one, ...(await lastWords(containers, task)) };
      }),
    );
    return { ...report, tasks };
  });
}

/** Whole names come before the beginnings of ids: a service may be called "ab". */
function subjectOf(view: View, ref: string): WhySubject | undefined {
  const service = view.services().find(({ ID, Spec }) => ID === ref || Spec.Name === ref);
  if (service !== undefined) return { kind: "service", id: service.ID };
  const place = newestIn(view, ref);
  if (place !== undefined) return { kind: "task", id: place.ID };
  const node = view
    .nodes()
    .find(({ ID, Description }) => ID === ref || Description.Hostname === ref);
  if (node !== undefined) return { kind: "node", id: node.ID };
  return abbreviated(view, ref);
}

/** Errors: ApiError 400 for the beginning of several ids. */
function abbreviated(view: View, ref: string): WhySubject | undefined {
  const task = find<Task>(ref, view.tasks(), taskNaming);
  if (task !== undefined) return { kind: "task", id: task.ID };
  const service = find<Service>(ref, view.services(), serviceNaming);
  if (service !== undefined) return { kind: "service", id: service.ID };
  const node = find<Node>(ref, view.nodes(), nodeNaming);
  return node && { kind: "node", id: node.ID };
}

/** Returns: of the place that is called so ("web.1"), the task that is wanted, else the newest one. */
function newestIn(view: View, ref: string): Task | undefined {
  const inPlace = view
    .tasks()
    .filter((task) => `${task.Gam.serviceName}.${slotName(task)}` === ref);
  return inPlace.findLast(isWanted) ?? inPlace.at(-1);
}
