/** Log routes: the logs of a service or a task. logs/log-stream.ts reads them. */
import { isTerminal, type Task } from "@gam/state";
import type { FastifyInstance } from "fastify";
import { serviceNaming } from "../answers/service-answer.ts";
import { hasContainer, taskNaming } from "../answers/task-answer.ts";
import { LogStream, type LogsOptions } from "../logs/log-stream.ts";
import { ApiError } from "../request/api-error.ts";
import { Query } from "../request/query.ts";
import { resolve } from "../request/reference.ts";
import { closing, freshView, type RouteContext, requireActive } from "./route-context.ts";

interface Ref {
  readonly Params: { readonly ref: string };
}

export function logRoutes(app: FastifyInstance, context: RouteContext): void {
  app.get<Ref>("/services/:ref/logs", async (request, reply) => {
    requireActive(context.door);
    const options = logOptions(new Query(request.url), closing(reply));
    const view = await freshView(context);
    const service = resolve(request.params.ref, view.services(), serviceNaming);
    const belongs = (task: Task): boolean => task.ServiceID === service.ID;
    const tty = service.Spec.TaskTemplate.ContainerSpec.TTY ?? false;
    await new LogStream(context, reply, options, tty).run(view.tasksOf(service.ID), belongs);
    return reply;
  });

  app.get<Ref>("/tasks/:ref/logs", async (request, reply) => {
    requireActive(context.door);
    const options = logOptions(new Query(request.url), closing(reply));
    const view = await freshView(context);
    const task = resolve(request.params.ref, view.tasks(), taskNaming);
    const tty = task.Spec.ContainerSpec.TTY ?? false;
    // The log of one task ends with the task, so wait only for a task that has not started yet.
    const waits = options.follow && !hasContainer(task) && !isTerminal(task.Status.State);
    const isIt = (one: Task): boolean => one.ID === task.ID;
    await new LogStream(context, reply, options, tty).run([task], waits ? isIt : undefined);
    return reply;
  });
}

/** Errors: ApiError 500 for a query without a stream, and for a wrong tail: Swarm's code. */
export function logOptions(query: Query, signal: AbortSignal): LogsOptions {
  const [stdout, stderr] = [query.flag("stdout"), query.flag("stderr")];
  if (!stdout && !stderr) {
    throw new ApiError(500, "Bad parameters: you must choose at least one stream");
  }
  const tail = query.text("tail") || "all";
  if (!/^(all|\d{1,15})$/.test(tail)) {
    throw new ApiError(500, 'tail value must be a positive integer or "all"');
  }
  return {
    follow: query.flag("follow"),
    stdout,
    stderr,
    since: query.text("since") ?? "",
    until: query.text("until") ?? "",
    timestamps: query.flag("timestamps"),
    tail,
    details: query.flag("details"),
    signal,
  };
}
