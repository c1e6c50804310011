/** HTTP routes: which names the proxy serves. The proxy is a service like any other, so it is made by Swarm's calls. */
import type { FastifyInstance } from "fastify";
import { requireManager } from "../engine/worker-calls.ts";
import { freshView, type RouteContext, requireActive } from "../routes/route-context.ts";

export function httpRoutes(app: FastifyInstance, context: RouteContext): void {
  app.get("/gam/v1/http", async () => {
    requireActive(context.door);
    requireManager(context.door);
    await freshView(context);
    return context.door.httpReport();
  });
}
