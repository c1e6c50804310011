/** Image routes: the calls of `gam image`, below /gam/v1/images. */
import { check, type NodeId } from "@gam/core";
import { heldImages } from "@gam/state";
import type { ImageList } from "@gam/state/answers";
import type { FastifyInstance } from "fastify";
import { hostnameOf, nodeNaming } from "../answers/node-answer.ts";
import { requireManager } from "../engine/worker-calls.ts";
import { readOwnBody } from "../request/own-body.ts";
import { resolve } from "../request/reference.ts";
import { freshView, type RouteContext, requireActive } from "../routes/route-context.ts";

const hosts = check.optional(check.list(check.string(), 1024));
const pushFields = { image: check.string(1024), hosts };
const pruneFields = {
  hosts,
  all: check.optional(check.boolean),
  apply: check.optional(check.boolean),
};

export function imageRoutes(app: FastifyInstance, context: RouteContext): void {
  const { door } = context;

  /** The nodes of these hosts; of all for none. */
  const nodesOf = async (hosts: readonly string[] = []): Promise<NodeId[]> => {
    requireActive(door);
    requireManager(door);
    const nodes = (await freshView(context)).nodes();
    if (hosts.length === 0) return nodes.map(({ ID }) => ID);
    return [...new Set(hosts.map((host) => resolve(host, nodes, nodeNaming).ID))];
  };

  app.get("/gam/v1/images", async (): Promise<ImageList> => {
    requireActive(door);
    const view = door.view();
    const usage = door.usage();
    const rows = new Map<string, { names: Set<string>; hosts: Set<string> }>();
    for (const node of view.nodes()) {
      for (const { id, names } of heldImages(usage.get(node.ID)?.images ?? [])) {
        const row = rows.get(id) ?? { names: new Set(), hosts: new Set() };
        rows.set(id, row);
        for (const name of names) row.names.add(name);
        row.hosts.add(hostnameOf(node));
      }
    }
    return {
      images: [...rows].map(([id, { names, hosts }]) => ({
        id,
        names: [...names].sort(),
        hosts: [...hosts].sort(),
      })),
      silent: view
        .nodes()
        .filter(({ ID }) => !usage.has(ID))
        .map(hostnameOf),
    };
  });

  /** Answers within some seconds, also while images go to hosts: repeat it until no host says "going". */
  app.post("/gam/v1/images/push", async (request) => {
    const { image, hosts } = await readOwnBody(request.body, pushFields);
    return await door.pushImage(image, await nodesOf(hosts));
  });

  /** Without `"apply":true` it says only what would be deleted. */
  app.post("/gam/v1/images/prune", async (request) => {
    const { hosts, all = false, apply = false } = await readOwnBody(request.body, pruneFields);
    return { hosts: await door.pruneImages(await nodesOf(hosts), { all, apply }) };
  });
}
