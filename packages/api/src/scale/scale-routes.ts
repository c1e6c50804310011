/** Scale routes: how many replicas services have, and where they run, as the cluster decides it by itself. */
import type { AutoscaleReport } from "@gam/state/answers";
import type { FastifyInstance } from "fastify";
import { serviceNaming } from "../answers/service-answer.ts";
import { requireManager } from "../engine/worker-calls.ts";
import { ApiError } from "../request/api-error.ts";
import { Query } from "../request/query.ts";
import { resolve } from "../request/reference.ts";
import { freshView, type RouteContext } from "../routes/route-context.ts";
import { autoscaleAnswer } from "./autoscale-answer.ts";

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
}
