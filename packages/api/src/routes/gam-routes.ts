/** Gam routes: the calls of gam's own client, below /gam/v1. */
import { check } from "@gam/core";
import { clusterSpecDefault, dataPathDefault } from "@gam/state";
import type { FastifyInstance } from "fastify";
import { requireManager } from "../engine/worker-calls.ts";
import { ApiError, alreadyInSwarm } from "../request/api-error.ts";
import { readOwnBody } from "../request/own-body.ts";
import { type RouteContext, requireActive, rotateTokens } from "./route-context.ts";
import { join, leave, unlock } from "./swarm-routes.ts";

const addressesMax = 32;
const text = check.optional(check.string());
const initFields = { listenAddr: text, advertiseAddr: text };
const joinFields = {
  ...initFields,
  token: check.string(),
  addresses: check.optional(check.list(check.string(), addressesMax)),
};
const leaveFields = { force: check.optional(check.boolean) };
const unlockFields = { key: check.string(256) };
const recoverFields = { force: check.optional(check.boolean) };
const rotateFields = { role: check.optional(check.literal("worker", "manager")) };

export function gamRoutes(app: FastifyInstance, context: RouteContext): void {
  const { door } = context;

  app.get("/gam/v1/status", async () => door.status());

  app.post("/gam/v1/init", async (request) => {
    const { listenAddr, advertiseAddr } = await readOwnBody(request.body, initFields);
    if (door.state() !== "inactive") throw new ApiError(503, alreadyInSwarm);
    const node = await door.init({
      listenAddr: listenAddr || undefined,
      advertiseAddr: advertiseAddr || undefined,
      availability: "active",
      spec: clusterSpecDefault,
      dataPath: dataPathDefault,
    });
    return { node, tokens: door.tokens() };
  });

  app.post("/gam/v1/join", async (request) => {
    const body = await readOwnBody(request.body, joinFields);
    await join(door, {
      token: body.token,
      addresses: body.addresses ?? [],
      listenAddr: body.listenAddr || undefined,
      advertiseAddr: body.advertiseAddr || undefined,
      availability: "active",
    });
    return { node: door.self };
  });

  app.post("/gam/v1/leave", async (request) => {
    const { force = false } = await readOwnBody(request.body, leaveFields);
    return { isListed: await leave(door, force) };
  });

  app.post("/gam/v1/unlock", async (request) => {
    const { key } = await readOwnBody(request.body, unlockFields);
    await unlock(door, key);
    return { node: door.self };
  });

  app.get("/gam/v1/recover", async () => {
    requireActive(door);
    return await door.recoverReport();
  });

  app.post("/gam/v1/recover", async (request) => {
    const { force = false } = await readOwnBody(request.body, recoverFields);
    requireActive(door);
    await door.recover(force);
    return {};
  });

  app.get("/gam/v1/token", async () => {
    requireActive(door);
    requireManager(door);
    return door.tokens();
  });

  /** `{"role":"worker"}`, `{"role":"manager"}` or `{}` for both. Old tokens become invalid. */
  app.post("/gam/v1/token/rotate", async (request) => {
    const { role } = await readOwnBody(request.body, rotateFields);
    requireActive(door);
    requireManager(door);
    await rotateTokens(context, role === undefined ? ["worker", "manager"] : [role]);
    return door.tokens();
  });
}
