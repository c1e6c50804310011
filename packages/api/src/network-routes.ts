/**
 * Network routes: the cluster's networks and the local engine's in one list.
 *
 * The bridges by which gam makes a cluster network real on this node are hidden: clients see the
 * network itself.
 */

import { Readable } from "node:stream";
import type { NetworkId } from "@gam/core";
import { isClusterNetwork, type Network, predefinedNetworks, readNetworkSpec } from "@gam/state";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { forEngine } from "./api-version.ts";
import { missing } from "./engine.ts";
import { passCall } from "./engine-proxy.ts";
import { Filters } from "./filters.ts";
import { readJsonBody } from "./json-body.ts";
import { networkAnswer, networkNaming } from "./network-answer.ts";
import { Query } from "./query.ts";
import { find } from "./reference.ts";
import { notInSwarm, Refusal } from "./refusal.ts";
import { freshView, type Room, write } from "./room.ts";

interface Ref {
  readonly Params: { readonly ref: string };
}

/** Of the engine bridges that gam makes; the value is the id of the cluster's network. */
const bridgeLabel = "gam.network";

export function networkRoutes(app: FastifyInstance, room: Room): void {
  const { door, engine } = room;

  app.get("/networks", async (request) => {
    const filters = new Filters(new Query(request.url).text("filters"), "any");
    const [ours, local] = await Promise.all([clusterNetworks(room), localNetworks(room, request)]);
    return [...ours.filter((one) => isListed(one, filters)).map(networkAnswer), ...local];
  });

  app.get<Ref>("/networks/:ref", async (request, reply) => {
    const network = await clusterNetwork(room, request);
    if (network !== undefined) return networkAnswer(network);
    if (new Query(request.url).text("scope") === "swarm") {
      throw new Refusal(404, `network ${request.params.ref} not found`);
    }
    return pass(room, request, reply);
  });

  app.post("/networks/create", async (request, reply) => {
    const body = await readJsonBody(request.body);
    if (!isClusterNetwork(body)) {
      const name = networkName(body);
      // Whoever names it later would get the cluster's.
      if ((await clusterNetworks(room)).some(({ Name }) => Name === name)) throw taken(name);
      return pass(room, request, reply, JSON.stringify(body));
    }
    // 500 and not 503, as the engine itself answers here.
    if (door.state() === "inactive") throw new Refusal(500, notInSwarm);
    const network = readNetworkSpec(body, door.mint() as NetworkId);
    if (await isLocalName(room, network.Name)) throw taken(network.Name);
    await door.propose([{ kind: "createNetwork", network }]);
    return reply.code(201).send({ Id: network.Id, Warning: "" });
  });

  app.delete<Ref>("/networks/:ref", async (request, reply) => {
    const network = await clusterNetwork(room, request);
    if (network === undefined) return pass(room, request, reply);
    if (predefinedNetworks.includes(network)) {
      throw new Refusal(403, `${network.Name} is a pre-defined network and cannot be removed`);
    }
    await write(room, [{ kind: "removeNetwork", id: network.Id }]);
    return reply.code(204).send();
  });

  app.post("/networks/prune", async (request, reply) => {
    // Bridges without a container would count as unused, although a task may be about to join.
    const query = new URLSearchParams(request.originalUrl.split("?")[1] ?? "");
    const filters = { ...parsedFilters(query.get("filters")), "label!": { [bridgeLabel]: true } };
    query.set("filters", JSON.stringify(filters));
    const path = request.originalUrl.split("?")[0] ?? "";
    reply.hijack();
    await passCall(engine, request.raw, reply.raw, `${path}?${query}`);
  });
}

function networkName(body: unknown): string {
  const name = (body as { readonly Name?: unknown } | null)?.Name;
  return typeof name === "string" ? name : "";
}

function taken(name: string): Refusal {
  return new Refusal(409, `network with name ${name} already exists`);
}

/** A user's network of this engine has it. Those of other engines are not known here. */
async function isLocalName({ engine }: Room, name: string): Promise<boolean> {
  const filters = encodeURIComponent(JSON.stringify({ name: [name] }));
  const answer = await engine.ask("GET", `/networks?filters=${filters}`).catch(missing);
  if (!Array.isArray(answer?.body)) return false;
  return answer.body.some(
    (network) => network?.Name === name && network?.Labels?.[bridgeLabel] === undefined,
  );
}

async function clusterNetworks(room: Room): Promise<readonly Network[]> {
  return room.door.state() === "inactive" ? [] : (await freshView(room)).networks();
}

/** The cluster's network that is meant, if it is one. The predefined ones go by their scope only. */
async function clusterNetwork(
  room: Room,
  request: FastifyRequest<Ref>,
): Promise<Network | undefined> {
  const { ref } = request.params;
  const ours = await clusterNetworks(room);
  const swarmOnly = new Query(request.url).text("scope") === "swarm";
  const known =
    swarmOnly && room.door.state() === "active" ? [...ours, ...predefinedNetworks] : ours;
  // An id of the engine's is hexadecimal, and so might begin like one of ours: only whole names and
  // longer beginnings count without a scope.
  if (swarmOnly || ref.length >= 12) return find(ref, known, networkNaming);
  return (
    known.find((network) => network.Id === ref || network.Name === ref) ?? beginning(ref, known)
  );
}

function beginning(ref: string, known: readonly Network[]): Network | undefined {
  const isHexadecimal = /^[0-9a-f]+$/.test(ref);
  return isHexadecimal ? undefined : find(ref, known, networkNaming);
}

async function localNetworks(room: Room, request: FastifyRequest): Promise<readonly unknown[]> {
  const path = forEngine(request.originalUrl, await room.engine.version());
  // Without an engine there are no local networks, and the cluster's are still there to be seen.
  const answer = await room.engine.ask("GET", path).catch(missing);
  if (answer === undefined) return [];
  const { status, body } = answer;
  if (status !== 200 || !Array.isArray(body)) {
    const message = (body as { message?: unknown } | null)?.message;
    throw new Refusal(status, typeof message === "string" ? message : `engine answered ${status}`);
  }
  return body.filter((network) => network?.Labels?.[bridgeLabel] === undefined);
}

function isListed(network: Network, filters: Filters): boolean {
  return (
    filters.some("name", (value) => network.Name.includes(value)) &&
    filters.some("id", (value) => network.Id.includes(value)) &&
    filters.exact("driver", network.Driver) &&
    filters.exact("scope", network.Scope) &&
    filters.exact("type", "custom") &&
    // No network of the cluster is dangling: who needs it is not known to the engine.
    filters.exact("dangling", "false", "0") &&
    filters.labels("label", network.Labels)
  );
}

function parsedFilters(text: string | null): object {
  try {
    const parsed: unknown = JSON.parse(text ?? "{}");
    return typeof parsed === "object" && parsed !== null ? parsed : {};
  } catch {
    return {};
  }
}

/** `body` is what was read of the call already. */
async function pass(
  { engine }: Room,
  request: FastifyRequest,
  reply: FastifyReply,
  body?: string,
): Promise<FastifyReply> {
  reply.hijack();
  const source = body === undefined ? undefined : Readable.from([Buffer.from(body)]);
  await passCall(engine, request.raw, reply.raw, request.originalUrl, source);
  return reply;
}
