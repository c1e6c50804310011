/**
 * Secret routes: refuses secrets and configs, which gam does not have yet.
 *
 * Lists are empty instead of refused, because `docker stack deploy` and `rm` read them.
 */
import { GamError } from "@gam/core";
import type { FastifyInstance } from "fastify";
import { ApiError } from "../request/api-error.ts";
import { Filters } from "../request/filters.ts";
import { Query } from "../request/query.ts";
import { freshView, type RouteContext, requireActive } from "./route-context.ts";

interface Ref {
  readonly Params: { readonly ref: string };
}

const filterKeys = ["id", "label", "name", "names"];

export function secretRoutes(app: FastifyInstance, context: RouteContext): void {
  for (const kind of ["secret", "config"] as const) {
    const missing = ({ ref }: Ref["Params"]): ApiError =>
      new ApiError(404, `${kind} ${ref} not found`);

    app.get(`/${kind}s`, async (request) => {
      requireActive(context.door);
      new Filters(new Query(request.url).text("filters"), filterKeys);
      return [];
    });
    app.post(`/${kind}s/create`, async () => {
      requireActive(context.door);
      const advice = "Use a bind mount or an environment variable";
      const message = `Cannot create ${kind}: gam does not support ${kind}s yet. ${advice}`;
      throw new GamError("NOT_SUPPORTED", message);
    });
    app.get<Ref>(`/${kind}s/:ref`, async (request) => {
      await freshView(context);
      throw missing(request.params);
    });
    app.post<Ref>(`/${kind}s/:ref/update`, async (request) => {
      await freshView(context);
      throw missing(request.params);
    });
    app.delete<Ref>(`/${kind}s/:ref`, async (request) => {
      await freshView(context);
      throw missing(request.params);
    });
  }
}
