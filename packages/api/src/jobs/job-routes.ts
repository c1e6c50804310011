/** Job routes: runs of jobs, below /gam/v1/jobs. The cluster plans them; a client may begin one now. */
import { isJob, type Service, type View } from "@gam/state";
import type { FastifyInstance } from "fastify";
import { jobHistory, jobSummary } from "../answers/job-answer.ts";
import { serviceNaming } from "../answers/service-answer.ts";
import { requireManager } from "../engine/worker-calls.ts";
import { LogStream } from "../logs/log-stream.ts";
import { ApiError } from "../request/api-error.ts";
import { readOwnBody } from "../request/own-body.ts";
import { Query } from "../request/query.ts";
import { resolve } from "../request/reference.ts";
import { logOptions } from "../routes/log-routes.ts";
import { closing, freshView, type RouteContext, sureView, write } from "../routes/route-context.ts";

interface Ref {
  readonly Params: { readonly ref: string };
}

export function jobRoutes(app: FastifyInstance, context: RouteContext): void {
  app.get("/gam/v1/jobs", async () => {
    const view = await managersView(context);
    const nowMs = Date.now();
    const jobs = view.services().filter(({ Spec }) => isJob(Spec));
    return jobs.map((service) => jobSummary(view, service, nowMs));
  });

  app.get<Ref>("/gam/v1/jobs/:ref", async (request) => {
    const view = await managersView(context);
    return jobHistory(view, jobOf(view, request.params.ref), Date.now());
  });

  /** Begins a run now. Answers with its number. */
  app.post<Ref>("/gam/v1/jobs/:ref/run", async (request) => {
    await readOwnBody(request.body, {});
    requireManager(context.door);
    const { ID: id } = jobOf(await sureView(context), request.params.ref);
    await write(context, [{ kind: "runJob", id }]);
    return { run: context.door.view().service(id)?.JobStatus?.JobIteration.Index ?? 0 };
  });

  /** The logs of one run, in the engine's form; of the newest one without the number `run`. */
  app.get<Ref>("/gam/v1/jobs/:ref/logs", async (request, reply) => {
    const query = new Query(request.url);
    const options = logOptions(query, closing(reply));
    const view = await managersView(context);
    const service = jobOf(view, request.params.ref);
    const run = runOf(query.text("run")) ?? service.JobStatus?.JobIteration.Index ?? 0;
    const tasks = view
      .tasksOf(service.ID)
      .filter(({ JobIteration }) => (JobIteration?.Index ?? 0) === run);
    if (tasks.length === 0) {
      throw new ApiError(404, `No task of run ${run} of ${service.Spec.Name} is kept`);
    }
    const tty = service.Spec.TaskTemplate.ContainerSpec.TTY ?? false;
    await new LogStream(context, reply, options, tty).run(tasks, undefined);
    return reply;
  });
}

/** Errors: those of freshView(); ApiError 503 on a worker. */
async function managersView(context: RouteContext): Promise<View> {
  const view = await freshView(context);
  requireManager(context.door);
  return view;
}

/** Errors: ApiError 404 for an unknown service, 400 for one that is no job. */
function jobOf(view: View, ref: string): Service {
  const service = resolve(ref, view.services(), serviceNaming);
  if (isJob(service.Spec)) return service;
  throw new ApiError(
    400,
    `Service ${service.Spec.Name} is no job: only services of mode replicated-job or global-job have runs`,
  );
}

/** Errors: ApiError 400. */
function runOf(text: string | undefined): number | undefined {
  if (text === undefined || text === "") return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new ApiError(
    400,
    `"${text}" is no number of a run. Run "gam job history NAME" to see them`,
  );
}
