/**
 * Attach routes: the engine's calls that put a container into a network, for networks of the cluster.
 *
 * Decides what the engine gets instead: its own network in place of the cluster's, with the leader's address.
 * Calls that name none of the cluster's networks are passed on unchanged.
 */
import { isIPv4 } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { EngineAnswer } from "@gam/engine";
import { macOf, type Network } from "@gam/state";
import type { FastifyInstance } from "fastify";
import { findNetwork } from "../answers/network-reference.ts";
import { type Attached, type AttachWish, withShortId } from "../engine/attachments.ts";
import { messageIn, missing } from "../engine/engine.ts";
import { engineNetwork } from "../engine/engine-networks.ts";
import { passCall } from "../engine/engine-proxy.ts";
import { insistOnEngineNetworks } from "../engine/locked-networks.ts";
import { ApiError } from "../request/api-error.ts";
import { forEngine, speaks } from "../request/api-version.ts";
import { type Fields, fieldsOf, textOf } from "../request/fields.ts";
import { eachValue } from "../request/go-keys.ts";
import { readRawBody } from "../request/json-body.ts";
import { freshView, type RouteContext } from "./route-context.ts";

interface Ref {
  readonly Params: { readonly ref: string };
}

/** Network modes that every engine has; `container:ID` is another. */
const engineModes = new Set(["", "bridge", "default", "host", "none"]);
/** Since this version each endpoint has a MAC address; before, only the container had one. */
const endpointMacSince = "1.44";

const sweepMsMax = 2_000;

const endpointKeys = {
  IPAMConfig: { IPv4Address: null, IPv6Address: null },
  MacAddress: null,
  Aliases: null,
};
const createKeys = {
  MacAddress: null,
  HostConfig: { NetworkMode: null, Dns: null },
  NetworkingConfig: { EndpointsConfig: eachValue(endpointKeys) },
};
const connectKeys = { Container: null, EndpointConfig: endpointKeys };

export function attachRoutes(app: FastifyInstance, context: RouteContext): void {
  const { door, engine, containers, attachments } = context;

  app.post("/containers/create", async (request, reply) => {
    const { raw, fields } = await readRawBody(request.body, createKeys);
    const wishes = fields === undefined ? [] : endpointsIn(fields);
    await insistOnEngineNetworks(
      context,
      wishes.map(({ ref }) => ref),
    );
    const view =
      wishes.length > 0 && door.state() === "active" ? await freshView(context) : undefined;
    const known = view?.networks() ?? [];
    const endpoints = withoutDoubles(
      wishes.map((wish) => ({ ...wish, network: findNetwork(wish.ref, known) })),
    );
    if (fields === undefined || !endpoints.some(({ network }) => network !== undefined)) {
      return await passCall(engine, request, reply, { body: raw });
    }
    const query = new URLSearchParams(request.originalUrl.split("?")[1] ?? "");
    const answer = await createAttached(context, {
      path: request.originalUrl,
      name: query.get("name") ?? "",
      fields,
      endpoints,
    });
    return reply.code(answer.status).send(answer.body);
  });

  for (const route of removals) {
    app.route({
      ...route,
      handler: async (request, reply) => {
        const beforeAnswer = async (): Promise<void> =>
          await Promise.race([attachments.sweep(), delay(sweepMsMax, undefined, { ref: false })]);
        const { target, url } = await containers.route(request.method, request.originalUrl);
        return await passCall(target, request, reply, { url, beforeAnswer });
      },
    });
  }

  app.post<Ref>("/networks/:ref/connect", async (request, reply) => {
    const { raw, fields } = await readRawBody(request.body, connectKeys);
    const network = fields && (await ourNetwork(context, request.params.ref));
    if (fields === undefined || network === undefined) {
      return await passCall(engine, request, reply, { body: raw });
    }
    const container = textOf(fields.Container);
    const settings = fieldsOf(fields.EndpointConfig);
    const wish = wishIn(network, settings);
    const found = await engine.ask("GET", `/containers/${encodeURIComponent(container)}/json`);
    if (found.status !== 200) throw refusalOf(found);
    const aliases = withShortId(wish.aliases, textOf(fieldsOf(found.body).Id));
    const attached = await attachments.attach(network, { ...wish, aliases, name: nameOf(found) });
    const answer = await orElseGiveBack(context, [attached], () =>
      connect(context, attached.engine.id, container, withPlace(settings, attached)),
    );
    return reply.code(answer.status).send(answer.body === "" ? undefined : answer.body);
  });

  app.post<Ref>("/networks/:ref/disconnect", async (request, reply) => {
    const { raw, fields } = await readRawBody(request.body, connectKeys);
    const network = fields && (await ourNetwork(context, request.params.ref));
    if (fields === undefined || network === undefined) {
      return await passCall(engine, request, reply, { body: raw });
    }
    const here = await engineNetwork(engine, network.Id);
    if (here === undefined) {
      const container = textOf(fields.Container);
      throw new ApiError(404, `container ${container} is not connected to network ${network.Name}`);
    }
    const answer = await engine.order("POST", `/networks/${here.id}/disconnect`, fields);
    if (answer.status >= 400) throw refusalOf(answer);
    await attachments.sweep();
    return reply.code(answer.status).send();
  });
}

/**
 * Calls that delete containers. Their addresses are released before the answer, unless the cluster has no
 * leader.
 */
const removals = [
  { method: "DELETE", url: "/containers/:ref" },
  { method: "POST", url: "/containers/prune" },
] as const;

interface Endpoint {
  /** The client's reference. */
  readonly ref: string;
  readonly settings: Fields;
  /** Absent for the engine's own networks. */
  readonly network: Network | undefined;
}

interface Creation {
  readonly path: string;
  /** "" if the engine chooses a name. */
  readonly name: string;
  readonly fields: Fields;
  /** The first one is the container's network mode, unless that is one of the engine's. */
  readonly endpoints: readonly Endpoint[];
}

/** Returns: the engine's answer to the creation. Deletes a container that cannot join all its networks. */
async function createAttached(context: RouteContext, creation: Creation): Promise<EngineAnswer> {
  const { engine, attachments } = context;
  const { fields, endpoints } = creation;
  const wishes = endpoints.flatMap(({ network, settings }) => {
    if (network === undefined) return [];
    const wish = wishIn(network, { MacAddress: fields.MacAddress, ...settings });
    return [{ network, wish: { ...wish, name: creation.name } }];
  });
  const attached: Attached[] = [];
  try {
    for (const { network, wish } of wishes) attached.push(await attachments.attach(network, wish));
  } catch (thrown) {
    await attachments.giveBack(attached);
    throw thrown;
  }
  const places = endpoints.map(({ ref, settings, network }) => {
    const place = attached.find((one) => one.network === network?.Id);
    if (place === undefined) return { name: ref, id: ref, settings };
    const { name, id } = place.engine;
    return { name, id, settings: withPlace(settings, place), mac: macOf(place.address) };
  });
  const version = await engine.version();
  // Prefer the gateway of an open network: DNS of an internal network forwards no queries to other servers.
  const open = endpoints.find(({ network }) => network?.Internal === false)?.network?.Id;
  const asked = attached.find(({ network }) => network === open) ?? attached[0];
  return await orElseGiveBack(context, attached, async () => {
    const [first, ...others] = placesInOrder(fields, places);
    const body = bodyWith(fields, first, asked?.gateway ?? "", speaks(version, endpointMacSince));
    const answer = await engine.order("POST", forEngine(creation.path, version), body);
    if (answer.status !== 201) return answer;
    const id = textOf(fieldsOf(answer.body).Id);
    for (const { id: network, settings } of others) {
      const joined = await connect(context, network, id, settings);
      if (joined.status === 200) continue;
      await engine.order("DELETE", `/containers/${id}?force=1&v=1`).catch(missing);
      return joined;
    }
    const path = `/containers/${id}/json`;
    const made = creation.name === "" ? await engine.ask("GET", path).catch(missing) : undefined;
    const chosen = made === undefined ? creation.name : nameOf(made);
    await attachments.introduce(attached, { id, name: chosen || undefined });
    return answer;
  });
}

interface Place {
  readonly name: string;
  readonly id: string;
  readonly settings: Fields;
  readonly mac?: string;
}

/** Old engines create a container in one network only, so it joins all others afterwards. */
function placesInOrder(
  fields: Fields,
  places: readonly Place[],
): readonly [Place | undefined, ...Place[]] {
  const { NetworkMode } = fieldsOf(fields.HostConfig);
  const mode = textOf(NetworkMode);
  const given = fieldsOf(fieldsOf(fields.NetworkingConfig).EndpointsConfig);
  // A container without a network mode is only in the networks that the client listed.
  const isFree = (mode === "" || mode === "default") && !Object.keys(given).some(isEngineMode);
  const keepsMode = isEngineMode(mode) && !(isFree && places.length === 1);
  return keepsMode ? [undefined, ...places] : [places[0], ...places.slice(1)];
}

function bodyWith(
  fields: Fields,
  first: Place | undefined,
  gateway: string,
  endpointsHaveMacs: boolean,
): Fields {
  const host = fieldsOf(fields.HostConfig);
  const own = Array.isArray(host.Dns) && host.Dns.length > 0;
  const HostConfig = { ...host, ...(!own && { Dns: [gateway] }) };
  const networking = fieldsOf(fields.NetworkingConfig);
  if (first === undefined) {
    const { NetworkMode } = host;
    const kept = fieldsOf(fieldsOf(networking.EndpointsConfig)[textOf(NetworkMode)]);
    const EndpointsConfig = Object.keys(kept).length > 0 ? { [textOf(NetworkMode)]: kept } : {};
    return { ...fields, HostConfig, NetworkingConfig: { ...networking, EndpointsConfig } };
  }
  const { name, settings, mac } = first;
  return {
    ...fields,
    ...(mac !== undefined && !endpointsHaveMacs && { MacAddress: mac }),
    HostConfig: { ...HostConfig, NetworkMode: name },
    NetworkingConfig: { ...networking, EndpointsConfig: { [name]: settings } },
  };
}

/** Returns: the container's networks without the engine's own modes, the one of its network mode first. */
function endpointsIn(fields: Fields): readonly Omit<Endpoint, "network">[] {
  const mode = textOf(fieldsOf(fields.HostConfig).NetworkMode);
  if (mode.startsWith("container:")) return [];
  const given = fieldsOf(fieldsOf(fields.NetworkingConfig).EndpointsConfig);
  const refs = new Set([mode, ...Object.keys(given)].filter((ref) => !isEngineMode(ref)));
  return [...refs].map((ref) => ({ ref, settings: fieldsOf(given[ref]) }));
}

function isEngineMode(mode: string): boolean {
  return engineModes.has(mode);
}

/** Merges endpoints of one network, which a client may name by its name and by its id. */
function withoutDoubles(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const merged = new Map<string, Endpoint>();
  for (const { ref, settings, network } of endpoints) {
    const key = network?.Id ?? ref;
    const known = merged.get(key);
    merged.set(key, { ref, network, settings: { ...known?.settings, ...settings } });
  }
  return [...merged.values()];
}

async function ourNetwork(context: RouteContext, ref: string): Promise<Network | undefined> {
  await insistOnEngineNetworks(context, [ref]);
  if (context.door.state() !== "active") return undefined;
  return findNetwork(ref, (await freshView(context)).networks());
}

/**
 * Returns: what the client asks for in this network.
 *
 * Errors: ApiError 501 for IPv6 and MAC addresses, 400 for an invalid address.
 */
function wishIn({ Name }: Network, settings: Fields): Omit<AttachWish, "name"> {
  const { IPv4Address, IPv6Address } = fieldsOf(settings.IPAMConfig);
  const no = (status: number, what: string): never => {
    throw new ApiError(status, `Could not attach to network ${Name}: ${what}`);
  };
  if (textOf(IPv6Address) !== "") no(501, "networks across hosts have IPv4 addresses only");
  if (textOf(settings.MacAddress) !== "") {
    no(501, "MAC addresses are derived from IP addresses. Leave out --mac-address");
  }
  const address = textOf(IPv4Address) || undefined;
  if (address !== undefined && !isIPv4(address)) no(400, `"${address}" is not an IPv4 address`);
  const { Aliases } = settings;
  const aliases = Array.isArray(Aliases) ? Aliases.map(textOf).filter((one) => one !== "") : [];
  return { address, aliases };
}

function withPlace(settings: Fields, { address }: Attached): Fields {
  return { ...settings, IPAMConfig: { IPv4Address: address }, MacAddress: macOf(address) };
}

async function connect(
  { engine }: RouteContext,
  network: string,
  Container: string,
  EndpointConfig: Fields,
): Promise<EngineAnswer> {
  const path = `/networks/${encodeURIComponent(network)}/connect`;
  return await engine.order("POST", path, { Container, EndpointConfig });
}

/** Releases the addresses if `work` fails. Errors: its own; ApiError with the engine's message. */
async function orElseGiveBack(
  { attachments }: RouteContext,
  attached: readonly Attached[],
  work: () => Promise<EngineAnswer>,
): Promise<EngineAnswer> {
  let answer: EngineAnswer;
  try {
    answer = await work();
  } catch (thrown) {
    await attachments.giveBack(attached);
    throw thrown;
  }
  if (answer.status < 400) {
    attachments.settle(attached);
    return answer;
  }
  await attachments.giveBack(attached);
  throw refusalOf(answer);
}

function refusalOf(answer: EngineAnswer): ApiError {
  return new ApiError(answer.status, messageIn(answer));
}

/** Returns: the container's name, without the slash that the engine puts before it. */
function nameOf({ body }: EngineAnswer): string {
  return textOf(fieldsOf(body).Name).replace(/^\//, "");
}
