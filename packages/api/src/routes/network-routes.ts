/**
 * Network routes: the cluster's networks and the local engine's in one list.
 *
 * Hides the engine's networks with which gam implements a cluster network on this node: clients see the
 * network itself.
 */

import { jsonOr, type NetworkId } from "@gam/core";
import {
  label,
  type Network,
  type NewNetwork,
  predefinedNetworks,
  readNetworkKind,
  readNetworkSpec,
} from "@gam/state";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { networkAnswer } from "../answers/network-answer.ts";
import { findNetwork } from "../answers/network-reference.ts";
import { awaitView } from "../engine/await-view.ts";
import { messageIn, missing } from "../engine/engine.ts";
import { isOurs, listOf } from "../engine/engine-networks.ts";
import { passCall } from "../engine/engine-proxy.ts";
import { insistOnEngineNetworks } from "../engine/locked-networks.ts";
import { isWorker, requireManager } from "../engine/worker-calls.ts";
import { ApiError, notInSwarm } from "../request/api-error.ts";
import { forEngine } from "../request/api-version.ts";
import { fieldsOf } from "../request/fields.ts";
import { Filters } from "../request/filters.ts";
import { readJsonBody } from "../request/json-body.ts";
import { Query } from "../request/query.ts";
import { inspectNetwork } from "./network-inspect.ts";
import { pruneNetworks } from "./network-prune.ts";
import { freshView, type RouteContext, requireActive, write } from "./route-context.ts";

interface Ref {
  readonly Params: { readonly ref: string };
}

const filterKeys = ["dangling", "driver", "id", "idOrName", "label", "name", "scope", "type"];

/**
 * How long a creation waits for the subnet, so that a client that inspects the network at once sees it, as in
 * Swarm.
 */
const subnetMsMax = 1500;

export function networkRoutes(app: FastifyInstance, context: RouteContext): void {
  const { door, engine } = context;

  app.get("/networks", async (request) => {
    const filters = new Filters(new Query(request.url).text("filters"), filterKeys);
    const [ours, local] = await Promise.all([
      clusterNetworks(context),
      localNetworks(context, request),
    ]);
    const listed = ours.filter((one) => isListed(one, filters));
    return [...listed.map((one) => networkAnswer(one)), ...local];
  });

  app.get<Ref>("/networks/:ref", async (request, reply) => {
    const network = await clusterNetwork(context, request);
    if (network !== undefined) {
      const verbose = new Query(request.url).flag("verbose");
      return networkAnswer(network, await inspectNetwork(context, network, verbose));
    }
    if (new Query(request.url).text("scope") === "swarm") {
      throw new ApiError(404, `network ${request.params.ref} not found`);
    }
    return passCall(engine, request, reply);
  });

  app.post("/networks/create", async (request, reply) => {
    const body = await readJsonBody(request.body);
    const { name, ofCluster } = readNetworkKind(body);
    if (!ofCluster) {
      // The name would later lead to the cluster's network instead.
      if ((await allNetworks(context)).some(({ Name }) => Name === name)) throw taken(name);
      return passCall(engine, request, reply, { body: Buffer.from(JSON.stringify(body)) });
    }
    // 500 and not 503, as the engine itself answers here.
    if (door.state() === "inactive") throw new ApiError(500, notInSwarm);
    requireActive(door);
    requireManager(door);
    const network = readNetworkSpec(body, door.mint() as NetworkId);
    if (await isLocalName(context, network.Name)) throw taken(network.Name);
    await writeNetwork(context, network);
    const made = await awaitView(
      door,
      (view) => (view.network(network.Id)?.Gam.vni ? true : undefined),
      subnetMsMax,
    );
    const Warning = made
      ? ""
      : `Network ${network.Name} has no subnet yet: the address pools may be used up`;
    return reply.code(201).send({ Id: network.Id, Warning });
  });

  app.delete<Ref>("/networks/:ref", async (request, reply) => {
    const network = await clusterNetwork(context, request);
    if (network === undefined) return passCall(engine, request, reply);
    requireManager(door);
    if (predefinedNetworks.includes(network)) {
      throw new ApiError(403, `${network.Name} is a pre-defined network and cannot be removed`);
    }
    // The last container may just have been deleted: release its address now, not at the next sweep.
    if (Object.keys(network.Gam.attachments).length > 0) await context.attachments.sweep();
    await write(context, [{ kind: "removeNetwork", id: network.Id }]);
    return reply.code(204).send();
  });

  app.post("/networks/prune", async (request, reply) => {
    // Spare gam's own networks: the engine counts them as unused without a container, but a task may join soon.
    const query = new URLSearchParams(request.originalUrl.split("?")[1] ?? "");
    const asked = query.get("filters");
    const filters = { ...parsedFilters(asked), "label!": { [label.network]: true } };
    query.set("filters", JSON.stringify(filters));
    const path = `${request.originalUrl.split("?")[0]}?${query}`;
    const answer = await engine.order("POST", forEngine(path, await engine.version()));
    if (answer.status !== 200) throw new ApiError(answer.status, messageIn(answer));
    const { NetworksDeleted } = fieldsOf(answer.body);
    const local: readonly unknown[] = Array.isArray(NetworksDeleted) ? NetworksDeleted : [];
    const ours = await pruneOurs(context, asked ?? undefined);
    return reply.send({
      NetworksDeleted: ours.length + local.length > 0 ? [...local, ...ours] : null,
    });
  });
}

async function pruneOurs(
  context: RouteContext,
  filters: string | undefined,
): Promise<readonly string[]> {
  if (context.door.state() !== "active" || isWorker(context.door)) return [];
  await context.door.fresh();
  await context.attachments.sweep();
  return await pruneNetworks(context, new Filters(filters, "any"), Date.now());
}

/** Errors: ApiError and GamError with Swarm's texts. */
async function writeNetwork(context: RouteContext, network: NewNetwork): Promise<void> {
  const change = { kind: "createNetwork", network } as const;
  // Swarm's engine refuses a taken name, without "rpc error" in its text. Its manager refuses a second ingress
  // network.
  if (network.Ingress) await write(context, [change]);
  else await context.door.propose([change]);
}

function taken(name: string): ApiError {
  return new ApiError(409, `network with name ${name} already exists`);
}

/** Returns: whether a user's network of this engine has the name. Networks of other engines are unknown here. */
async function isLocalName({ engine }: RouteContext, name: string): Promise<boolean> {
  const filters = encodeURIComponent(JSON.stringify({ name: [name] }));
  const answer = await engine.ask("GET", `/networks?filters=${filters}`).catch(missing);
  const networks = listOf(answer) ?? [];
  return networks.some((network) => fieldsOf(network).Name === name && !isOurs(network));
}

/** Returns: the networks that this node shows. A worker shows only those that it has a part in, as in Swarm. */
async function clusterNetworks(context: RouteContext): Promise<readonly Network[]> {
  const { door } = context;
  const networks = await allNetworks(context);
  return isWorker(door) ? networks.filter(({ Gam }) => door.self in Gam.gateways) : networks;
}

async function allNetworks(context: RouteContext): Promise<readonly Network[]> {
  return context.door.state() !== "active" ? [] : (await freshView(context)).networks();
}

/** Returns: the cluster's network for the reference, if any; a predefined one only for the scope "swarm". */
async function clusterNetwork(
  context: RouteContext,
  request: FastifyRequest<Ref>,
): Promise<Network | undefined> {
  await insistOnEngineNetworks(context, [request.params.ref]);
  const swarmOnly = new Query(request.url).text("scope") === "swarm";
  const ours = await clusterNetworks(context);
  return findNetwork(request.params.ref, ours, swarmOnly && context.door.state() === "active");
}

async function localNetworks(
  context: RouteContext,
  request: FastifyRequest,
): Promise<readonly unknown[]> {
  const path = forEngine(request.originalUrl, await context.engine.version());
  // Without an engine there are no local networks, but the cluster's are still shown.
  const answer = await context.engine.ask("GET", path).catch(missing);
  if (answer === undefined) return [];
  const networks = listOf(answer);
  if (networks === undefined) throw new ApiError(answer.status, messageIn(answer));
  return networks.filter((network) => !isOurs(network));
}

function isListed(network: Network, filters: Filters): boolean {
  return (
    filters.pattern("name", network.Name) &&
    filters.pattern("id", network.Id) &&
    filters.pattern("idOrName", network.Id, network.Name) &&
    filters.exact("driver", network.Driver) &&
    filters.exact("scope", network.Scope) &&
    filters.exact("type", network.Ingress ? "builtin" : "custom") &&
    // No network of the cluster counts as dangling: the engine does not know who needs it.
    filters.exact("dangling", "false", "0") &&
    filters.labels("label", network.Labels)
  );
}

function parsedFilters(text: string | null): object {
  const parsed = jsonOr(text ?? "{}", undefined);
  return typeof parsed === "object" && parsed !== null ? parsed : {};
}
