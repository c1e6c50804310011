/** Upgrade routes: the calls of `gam upgrade`, below /gam/v1/upgrade. All of them are for managers. */
import type { Readable } from "node:stream";
import { check } from "@gam/core";
import { aPackageSum } from "@gam/state/answers";
import type { FastifyInstance } from "fastify";
import { nodeNaming } from "../answers/node-answer.ts";
import type { UpgradeDoor } from "../door/door.ts";
import { requireManager } from "../engine/worker-calls.ts";
import { readOwnBody } from "../request/own-body.ts";
import { Query } from "../request/query.ts";
import { resolve } from "../request/reference.ts";
import { type RouteContext, requireActive } from "../routes/route-context.ts";

const giveFields = { host: check.string(256), sha256: aPackageSum };
const installFields = { ...giveFields, back: check.optional(check.boolean) };

export function upgradeRoutes(app: FastifyInstance, { door }: RouteContext): void {
  const upgrades = (): UpgradeDoor => {
    requireActive(door);
    requireManager(door);
    return door.upgrades();
  };
  const nodeOf = (host: string) => resolve(host, door.view().nodes(), nodeNaming).ID;

  app.get("/gam/v1/upgrade", async () => await upgrades().report());

  /** The body is the package. */
  app.put("/gam/v1/upgrade/packages", async (request) => {
    const query = new Query(request.url);
    const name = check.string(128)(query.text("name"), "name");
    const sha256 = aPackageSum(query.text("sha256"), "sha256");
    return await upgrades().take(name, sha256, request.body as Readable);
  });

  /** Answers within some seconds, also while the package goes to the host: repeat it while it says "going". */
  app.post("/gam/v1/upgrade/give", async (request) => {
    const { host, sha256 } = await readOwnBody(request.body, giveFields);
    return await upgrades().give(nodeOf(host), sha256);
  });

  /** Answers when the installation has begun. */
  app.post("/gam/v1/upgrade/install", async (request) => {
    const { host, sha256, back = false } = await readOwnBody(request.body, installFields);
    await upgrades().install(nodeOf(host), sha256, back);
    return {};
  });
}
