/** Node routes. */
import { type Node, readNodeSpec } from "@gam/state";
import type { FastifyInstance } from "fastify";
import { hostnameOf, nodeAnswer, nodeNaming } from "../answers/node-answer.ts";
import { ApiError } from "../request/api-error.ts";
import { Filters } from "../request/filters.ts";
import { readJsonBody } from "../request/json-body.ts";
import { Query } from "../request/query.ts";
import { resolve } from "../request/reference.ts";
import { freshView, type RouteContext, requireActive, sureView, write } from "./route-context.ts";

interface Ref {
  readonly Params: { readonly ref: string };
}

const filterKeys = ["id", "label", "membership", "name", "node.label", "role"];
const precondition = "rpc error: code = FailedPrecondition desc =";

export function nodeRoutes(app: FastifyInstance, context: RouteContext): void {
  const { door } = context;

  app.get("/nodes", async (request) => {
    requireActive(door);
    const filters = new Filters(new Query(request.url).text("filters"), filterKeys);
    const roles = filters.words("role", ["worker", "manager"]);
    // Every node in the list has joined with a token.
    const memberships = filters.words("membership", ["accepted", "pending"]);
    if (memberships.length > 0 && !memberships.includes("accepted")) return [];
    const nodes = (await freshView(context))
      .nodes()
      .filter((node) => roles.length === 0 || roles.includes(node.Spec.Role))
      .filter((node) => isListed(node, filters));
    return nodes.map((node) => nodeAnswer(node, door));
  });

  app.get<Ref>("/nodes/:ref", async (request) => {
    const view = await freshView(context);
    return nodeAnswer(resolve(request.params.ref, view.nodes(), nodeNaming), door);
  });

  app.post<Ref>("/nodes/:ref/update", async (request, reply) => {
    requireActive(door);
    const body = await readJsonBody(request.body);
    const basedOn = new Query(request.url).version("node");
    const spec = readNodeSpec(body);
    const nodes = (await sureView(context)).nodes();
    const { ID, Spec } = resolve(request.params.ref, nodes, nodeNaming);
    const demoted = Spec.Role === "manager" && spec.Role === "worker";
    if (demoted && isLastManager(ID, nodes)) {
      throw new ApiError(400, `${precondition} attempting to demote the last manager of the swarm`);
    }
    await write(context, [{ kind: "updateNode", id: ID, spec, basedOn }]);
    return reply.send();
  });

  app.delete<Ref>("/nodes/:ref", async (request, reply) => {
    const view = await sureView(context);
    const { ID, Spec, Status } = resolve(request.params.ref, view.nodes(), nodeNaming);
    const force = new Query(request.url).flag("force");
    if (Status.State !== "down" && !force) {
      const why =
        Spec.Role === "manager"
          ? "is a cluster manager and is a member of the raft cluster. It must be demoted to worker before removal"
          : "is not down and can't be removed";
      throw new ApiError(400, `${precondition} node ${ID} ${why}`);
    }
    if (isLastManager(ID, view.nodes())) {
      throw new ApiError(400, `${precondition} attempting to remove the last manager of the swarm`);
    }
    // The node may come back before this is applied.
    await write(context, [{ kind: "removeNode", id: ID, ...(!force && { onlyIf: "down" }) }]);
    return reply.send();
  });
}

function isLastManager(id: string, nodes: readonly Node[]): boolean {
  const managers = nodes.filter(({ Spec }) => Spec.Role === "manager");
  return managers.length === 1 && managers[0]?.ID === id;
}

function isListed(node: Node, filters: Filters): boolean {
  const { ID, Spec, Description } = node;
  return (
    filters.prefix("id", ID) &&
    filters.prefix("name", hostnameOf(node), Spec.Name ?? hostnameOf(node)) &&
    filters.clusterLabels("node.label", Spec.Labels) &&
    filters.clusterLabels("label", Description.Engine.Labels)
  );
}
