/**
 * Plan routes: the calls of a deployment, tried on a copy of the state.
 *
 *   POST   /gam/v1/plans          a new plan: {"ID": …}
 *   any    /gam/v1/plans/ID/…     the call behind it, on the copy: /services/create and the like
 *   GET    /gam/v1/plans/ID       what would follow (state/answers/plan.ts)
 *   DELETE /gam/v1/plans/ID
 *
 * The calls take the same way through the same routes as real ones, so a plan refuses what a deployment would refuse.
 * Nothing is written, and no engine gets a call that changes something.
 */
import { GamError, jsonOr } from "@gam/core";
import { type AskedChange, readNetworkKind } from "@gam/state";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { ClusterDoor, RehearsalDoor } from "../door/door.ts";
import { Engine } from "../engine/engine.ts";
import { requireManager } from "../engine/worker-calls.ts";
import { ApiError } from "../request/api-error.ts";
import { collectBody } from "../request/json-body.ts";
import { type RouteContext, requireActive, sureView } from "../routes/route-context.ts";

/** Plans that are open at the same time. Each holds a copy of the state. */
const plansMax = 4;
/** A client that went away leaves its plan behind. */
const plansMsMax = 120_000;

/** What can be tried: reads, and the writes of a deployment. */
const plannable: readonly (readonly [method: string, path: RegExp])[] = [
  ["GET", /^\/(services|secrets|configs|tasks|nodes)(\/[^/]+)?$/],
  ["GET", /^\/networks$/],
  ["POST", /^\/(services|networks|secrets|configs)\/create$/],
  ["POST", /^\/(services|secrets|configs)\/[^/]+\/update$/],
  ["DELETE", /^\/(services|secrets|configs)\/[^/]+$/],
];

interface Plan {
  readonly rehearsal: RehearsalDoor;
  readonly app: FastifyInstance;
  readonly untilMs: number;
}

interface Ref {
  readonly Params: { readonly plan: string; readonly "*": string };
}

export function planRoutes(
  app: FastifyInstance,
  context: RouteContext,
  appOf: (context: RouteContext) => FastifyInstance,
): void {
  const { door } = context;
  const plans = new Map<string, Plan>();

  const planOf = (request: FastifyRequest<Ref>): Plan => {
    const plan = plans.get(request.params.plan);
    if (plan !== undefined) return plan;
    throw new ApiError(
      404,
      `plan ${request.params.plan} not found: it may be too old, begin again`,
    );
  };

  app.post("/gam/v1/plans", async (_request, reply) => {
    requireActive(door);
    requireManager(door);
    // A plan of an old copy would surprise.
    await sureView(context);
    for (const [id, { untilMs }] of plans) if (untilMs < performance.now()) plans.delete(id);
    if (plans.size >= plansMax) {
      throw new GamError("IN_USE", "Cannot plan: other plans are under way. Try again in a minute");
    }
    const rehearsal = door.rehearse();
    const engine = new WatchedEngine(context.engine.socketPath);
    const plan = {
      rehearsal,
      app: appOf({ ...context, engine, door: rehearsedDoor(door, rehearsal) }),
      untilMs: performance.now() + plansMsMax,
    };
    const id = door.mint();
    plans.set(id, plan);
    return reply.code(201).send({ ID: id });
  });

  app.get<Ref>("/gam/v1/plans/:plan", async (request) => planOf(request).rehearsal.finish());

  app.delete<Ref>("/gam/v1/plans/:plan", async (request, reply) => {
    planOf(request);
    plans.delete(request.params.plan);
    return reply.send();
  });

  app.all<Ref>("/gam/v1/plans/:plan/*", async (request, reply) => {
    const plan = planOf(request);
    const { method } = request;
    const [prefix = "", query] = request.url.split("?");
    const path = prefix.slice(prefix.indexOf(request.params.plan) + request.params.plan.length);
    if (!plannable.some(([known, paths]) => known === method && paths.test(path))) {
      throw new ApiError(501, `Cannot plan "${method} ${path}": it is no call of a deployment`);
    }
    const payload = await collectBody(request.body);
    if (path === "/networks/create") insistOnCluster(payload);
    const answer = await plan.app.inject({
      ...{ method: method as "GET" | "POST" | "DELETE", payload },
      url: query === undefined ? path : `${path}?${query}`,
      headers: { ...request.headers, "content-length": String(payload.length) },
    });
    const type = answer.headers["content-type"];
    if (typeof type === "string") reply.header("content-type", type);
    return reply.code(answer.statusCode).send(answer.rawPayload);
  });
}

/** Refuses what would change this host's engine. */
class WatchedEngine extends Engine {
  override options(
    method: string,
    path: string,
    headers: readonly string[],
  ): ReturnType<Engine["options"]> {
    if (method !== "GET" && method !== "HEAD") throw engineChange(path);
    return super.options(method, path, headers);
  }

  override async order(_method: string, path: string): Promise<never> {
    throw engineChange(path);
  }
}

/** A network of this host's engine would be created there at once. */
function insistOnCluster(body: Buffer): void {
  const { ofCluster, name } = readNetworkKind(jsonOr(body.toString("utf8"), {}));
  if (!ofCluster) throw engineChange(`network ${name}`);
}

function engineChange(path: string): ApiError {
  return new ApiError(501, `Cannot plan ${path}: it changes one host's engine, not the cluster`);
}

/** The door with another state behind it. What a deployment does not use is the real door's. */
function rehearsedDoor(door: ClusterDoor, rehearsal: RehearsalDoor): ClusterDoor {
  return Object.assign(Object.create(door) as ClusterDoor, {
    view: () => rehearsal.view,
    fresh: async () => true,
    subscribe: () => () => undefined,
    propose: async (changes: readonly AskedChange[]) => {
      const outcome = rehearsal.propose(changes);
      if (outcome.kind === "refused") throw new GamError(outcome.code, outcome.message);
      return { index: outcome.index };
    },
  });
}
