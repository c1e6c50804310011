/** History routes: the specs that a service has had, what was different, and the way back to one. */
import { check } from "@gam/core";
import { presentRevision, type Service, specOfRevision, type View } from "@gam/state";
import {
  fieldChanges,
  type ServiceDifference,
  type ServiceHistory,
  shownSpec,
} from "@gam/state/answers";
import type { FastifyInstance } from "fastify";
import { serviceNaming } from "../answers/service-answer.ts";
import { requireManager } from "../engine/worker-calls.ts";
import { ApiError } from "../request/api-error.ts";
import { readOwnBody } from "../request/own-body.ts";
import { Query } from "../request/query.ts";
import { resolve } from "../request/reference.ts";
import { writeChange } from "../routes/first-try.ts";
import { freshView, type RouteContext, requireActive } from "../routes/route-context.ts";

interface Ref {
  readonly Params: { readonly ref: string };
}

const rollbackFields = { to: check.integer(1) };

export function historyRoutes(app: FastifyInstance, context: RouteContext): void {
  const { door } = context;

  app.get<Ref>("/gam/v1/services/:ref/history", async (request): Promise<ServiceHistory> => {
    requireActive(door);
    const view = await freshView(context);
    const service = resolve(request.params.ref, view.services(), serviceNaming);
    return historyOf(view, service);
  });

  /** `?from=3&to=5`. Without `to` the present one, without `from` the one before `to`. */
  app.get<Ref>("/gam/v1/services/:ref/diff", async (request): Promise<ServiceDifference> => {
    requireActive(door);
    const query = new Query(request.url);
    const view = await freshView(context);
    const service = resolve(request.params.ref, view.services(), serviceNaming);
    const to = numberIn(query, "to") ?? presentRevision(service).number;
    const from = numberIn(query, "from") ?? to - 1;
    const shown = (number: number): unknown => shownSpec(specAt(service, number), namesIn(view));
    return { from, to, changes: fieldChanges(shown(from), shown(to)) };
  });

  app.post<Ref>("/gam/v1/services/:ref/rollback", async (request) => {
    requireActive(door);
    requireManager(door);
    const { to } = await readOwnBody(request.body, rollbackFields);
    await writeChange(context, (view) => {
      const service = resolve(request.params.ref, view.services(), serviceNaming);
      const spec = specOfRevision(service, to);
      if (spec === undefined) throw unknownRevision(service, to);
      const basedOn = service.Version.Index;
      return { kind: "updateService", id: service.ID, spec, basedOn, registryAuthFrom: "spec" };
    });
    return {};
  });
}

function historyOf(view: View, service: Service): ServiceHistory {
  const names = namesIn(view);
  const all = [
    ...(service.Gam.revisions ?? []),
    { ...presentRevision(service), spec: service.Spec },
  ];
  const revisions = all.map(({ number, at, spec }, index) => {
    const before = all[index - 1];
    const changes = before
      ? fieldChanges(shownSpec(before.spec, names), shownSpec(spec, names))
      : [];
    return { number, at, image: spec.TaskTemplate.ContainerSpec.Image, changes };
  });
  return { id: service.ID, name: service.Spec.Name, revisions };
}

/** Errors: ApiError 404 for a revision that is not kept. */
function specAt(service: Service, number: number): Service["Spec"] {
  if (number === presentRevision(service).number) return service.Spec;
  const kept = service.Gam.revisions?.find((one) => one.number === number);
  if (kept === undefined) throw unknownRevision(service, number);
  return kept.spec;
}

function unknownRevision(service: Service, number: number): ApiError {
  const kept = (service.Gam.revisions ?? []).map((one) => one.number);
  const present = presentRevision(service).number;
  const known =
    kept.length === 0
      ? `its only one is ${present}`
      : `kept are ${kept.join(", ")}, and ${present} is the present one`;
  return new ApiError(
    404,
    `service ${service.Spec.Name} has no earlier revision ${number}: ${known}`,
  );
}

/** Errors: ApiError 400 for what is no revision. */
function numberIn(query: Query, name: string): number | undefined {
  const text = query.text(name) ?? "";
  if (text === "") return undefined;
  if (!/^[1-9]\d{0,8}$/.test(text)) {
    throw new ApiError(400, `Cannot read ${name}: "${text}" is no revision. Write a number from 1`);
  }
  return Number(text);
}

function namesIn(view: View): ReadonlyMap<string, string> {
  return new Map(view.networks().map(({ Id, Name }) => [Id, Name]));
}
