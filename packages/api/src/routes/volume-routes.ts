/**
 * Volume routes: the local volumes of engines, and the cluster's record of where their data is.
 *
 * The engine removes a volume; after that no task has to go to its host for it.
 */
import type { VolumeName } from "@gam/core";
import type { FastifyInstance } from "fastify";
import { messageIn } from "../engine/engine.ts";
import { passCall } from "../engine/engine-proxy.ts";
import { ApiError } from "../request/api-error.ts";
import { type RouteContext, sureView, write } from "./route-context.ts";

interface Ref {
  readonly Params: { readonly ref: string };
}

export function volumeRoutes(app: FastifyInstance, context: RouteContext): void {
  const { door, engine } = context;

  app.delete<Ref>("/volumes/:ref", async (request, reply) => {
    if (door.state() !== "active") return await passCall(engine, request, reply);
    const name = request.params.ref as VolumeName;
    const isKnown = isHome(context, name);
    const answer = await engine.order("DELETE", await engine.pathOf(request.originalUrl));
    // Removed at the engine's own socket before: only the record is left.
    const isGone = answer.status === 204 || (answer.status === 404 && isKnown);
    if (!isGone) throw new ApiError(answer.status, messageIn(answer));
    await forget(context, name);
    return reply.code(204).send();
  });
}

function isHome({ door }: RouteContext, name: VolumeName): boolean {
  return (
    door
      .view()
      .volume(name)
      ?.Homes.some(({ node }) => node === door.self) === true
  );
}

/** Tells the cluster that this host has no volume of the name any more. */
async function forget(context: RouteContext, name: VolumeName): Promise<void> {
  await sureView(context);
  if (!isHome(context, name)) return;
  await write(context, [{ kind: "removeVolume", id: name, node: context.door.self }]);
}
