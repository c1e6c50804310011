/** Scale routes: how many replicas services have, and where they run, as the cluster decides it by itself. */
import { check } from "@gam/core";
import type { AutoscaleReport, RebalanceReport } from "@gam/state/answers";
import type { FastifyInstance } from "fastify";
import { serviceNaming } from "../answers/service-answer.ts";
import { requireManager } from "../engine/worker-calls.ts";
import { ApiError } from "../request/api-error.ts";
import { readOwnBody } from "../request/own-body.ts";
import { Query } from "../request/query.ts";
import { resolve } from "../request/reference.ts";
import { freshView, type RouteContext, requireActive, write } from "../routes/route-context.ts";
import { autoscaleAnswer } from "./autoscale-answer.ts";
import { rebalanceAnswer } from "./rebalance-answer.ts";

const askFields = { auto: check.optional(check.boolean), run: check.optional(check.boolean) };

export function scaleRoutes(app: FastifyInstance, context: RouteContext): void {
  const { door } = context;

  /** `?service=NAME`: one service alone. */
  app.get("/gam/v1/autoscale", async (request): Promise<AutoscaleReport> => {
    const view = await freshView(context);
    requireManager(door);
    const ref = new Query(request.url).text("service");
    const asked = ref === undefined ? undefined : resolve(ref, view.services(), serviceNaming);
    const usage = door.status().nodes.map((node) => node.usage);
    const services = autoscaleAnswer(view, asked ? [asked] : view.services(), usage);
    if (asked !== undefined && services.length === 0) {
      const message = `service ${asked.Spec.Name} is not scaled by its load. The labels "gam.autoscale.max" and "gam.autoscale.cpu" ask for it`;
      throw new ApiError(404, message);
    }
    return { services };
  });

  app.get("/gam/v1/rebalance", async (): Promise<RebalanceReport> => {
    const view = await freshView(context);
    requireManager(door);
    return rebalanceAnswer(view, door.movesWanted());
  });

  /** `{"run":true}` moves tasks now, `{"auto":true}` from now on; false ends it. */
  app.post("/gam/v1/rebalance", async (request) => {
    const { auto, run } = await readOwnBody(request.body, askFields);
    requireActive(door);
    requireManager(door);
    if (auto === undefined && run === undefined) {
      throw new ApiError(400, 'nothing was asked for: send "run" or "auto", true or false');
    }
    await write(context, [{ kind: "askRebalance", auto, run }]);
    return {};
  });
}
