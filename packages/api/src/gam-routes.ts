/** gam routes: the calls of gam's own client, below /gam/v1. */
import { GamError } from "@gam/core";
import { clusterSpecDefault } from "@gam/state";
import type { FastifyInstance } from "fastify";
import { readJsonBody } from "./json-body.ts";
import { alreadyInSwarm, Refusal } from "./refusal.ts";
import { type Room, requireActive, write } from "./room.ts";
import { fieldsOf, join, leave, textOf } from "./swarm-routes.ts";

export function gamRoutes(app: FastifyInstance, room: Room): void {
  const { door } = room;

  app.get("/gam/v1/status", async () => door.status());

  app.post("/gam/v1/init", async (request) => {
    const body = fieldsOf(await readJsonBody(request.body));
    if (door.state() === "active") throw new Refusal(503, alreadyInSwarm);
    const node = await door.init({
      listenAddr: textOf(body.listenAddr),
      advertiseAddr: textOf(body.advertiseAddr),
      availability: "active",
      spec: clusterSpecDefault,
    });
    return { node, tokens: door.tokens() };
  });

  app.post("/gam/v1/join", async (request) => {
    const body = fieldsOf(await readJsonBody(request.body));
    await join(door, {
      token: textOf(body.token) ?? "",
      addresses: Array.isArray(body.addresses) ? body.addresses.map(String) : [],
      listenAddr: textOf(body.listenAddr),
      advertiseAddr: textOf(body.advertiseAddr),
      availability: "active",
    });
    return { node: door.self };
  });

  app.post("/gam/v1/leave", async (request) => {
    const body = fieldsOf(await readJsonBody(request.body));
    await leave(door, body.force === true);
    return {};
  });

  app.get("/gam/v1/token", async () => {
    requireActive(door);
    return door.tokens();
  });

  /** `{"role":"worker"}`, `{"role":"manager"}` or `{}` for both. Old tokens are refused from then on. */
  app.post("/gam/v1/token/rotate", async (request) => {
    const { role } = fieldsOf(await readJsonBody(request.body));
    requireActive(door);
    if (role !== undefined && role !== "worker" && role !== "manager") {
      throw new GamError("BAD_REQUEST", `Cannot rotate token: no role is called "${role}"`);
    }
    const fresh = (one: string): string | undefined =>
      role === undefined || role === one ? door.secret() : undefined;
    await write(room, [
      { kind: "rotateSecrets", worker: fresh("worker"), manager: fresh("manager") },
    ]);
    return door.tokens();
  });
}
