/**
 * Container routes: containers as the cluster sees them, and the list of those of other hosts.
 *
 *   docker ps                                  this host's
 *   docker ps --filter gam.hosts=all           those of all hosts
 *   docker ps --filter gam.hosts=host2         those of one host; may be repeated
 *
 * Rows of a list with that filter name their host: in the label "gam.host", and before each name ("host2/web"),
 * which is also how a client may refer to the container.
 */
import { jsonOr } from "@gam/core";
import { engineNetworkName, type Node } from "@gam/state";
import type { FastifyInstance } from "fastify";
import { containerAnswer } from "../answers/container-answer.ts";
import { findNetwork } from "../answers/network-reference.ts";
import { hostnameOf } from "../answers/node-answer.ts";
import type { ClusterDoor } from "../door/door.ts";
import type { SmallAnswer } from "../engine/call-target.ts";
import { type Engine, messageIn, missing } from "../engine/engine.ts";
import { listOf } from "../engine/engine-networks.ts";
import { passCall } from "../engine/engine-proxy.ts";
import { requireManager } from "../engine/worker-calls.ts";
import { ApiError } from "../request/api-error.ts";
import { type Fields, fieldsOf, textOf } from "../request/fields.ts";
import { Filters } from "../request/filters.ts";
import { Query } from "../request/query.ts";
import { silentText } from "./candidates.ts";
import { type Containers, unanswered } from "./containers.ts";
import { hostLabel, hostsFilter, nodesCalled } from "./hosts-asked.ts";

export interface ContainerContext {
  readonly door: ClusterDoor;
  readonly engine: Engine;
  readonly containers: Containers;
}

export function containerRoutes(app: FastifyInstance, context: ContainerContext): void {
  const { door, engine, containers } = context;

  app.get("/containers/json", async (request, reply) => {
    if (door.state() !== "active") return await passCall(engine, request, reply);
    const { hosts, url } = asked(request.originalUrl, context);
    if (hosts === undefined) {
      const answer = await containers.askHere(url);
      return rowsIn(answer).map((row) => seen(context, row, door.self));
    }
    requireManager(door);
    const nodes = nodesCalled(hosts, door.view().nodes());
    const { rows, silent } = await rowsOf(context, nodes, url);
    if (silent.length > 0) reply.header("Warning", `199 gam "${silentText(silent).trim()}"`);
    const limit = Number(new Query(url).text("limit") ?? 0);
    const sorted = rows.sort((a, b) => Number(b.Created) - Number(a.Created));
    return limit > 0 ? sorted.slice(0, limit) : sorted;
  });

  for (const url of ["/containers/:ref/json", "/containers/:host/:ref/json"]) {
    app.get(url, async (request, reply) => {
      if (door.state() !== "active") return await passCall(engine, request, reply);
      const { node, ...answer } = await containers.ask(request.originalUrl);
      if (answer.status !== 200) throw new ApiError(answer.status, messageIn(answer));
      return seen(context, fieldsOf(answer.body), node);
    });
  }
}

function seen({ door }: ContainerContext, container: Fields, node: Node["ID"]): Fields {
  return containerAnswer(container, { networks: door.view().networks(), node });
}

interface Asked {
  /** Undefined: this host, as the engine lists it. */
  readonly hosts: readonly string[] | undefined;
  /** The call in the engine's words: without the filter for hosts, and with its own names of networks. */
  readonly url: string;
}

/** Invalid filters stay as they are: the engine refuses them. */
function asked(url: string, { door }: ContainerContext): Asked {
  const at = url.indexOf("?");
  const params = new URLSearchParams(at < 0 ? "" : url.slice(at + 1));
  const text = params.get("filters") ?? "";
  const { [hostsFilter]: hosts, ...others } = fieldsOf(jsonOr(text, undefined));
  if (hosts === undefined && others.network === undefined) return { hosts: undefined, url };
  const filters = new Filters(text, "any");
  const known = door.view().networks();
  const network = filters.values("network").map((ref) => {
    const found = findNetwork(ref, known);
    return found === undefined ? ref : engineNetworkName(found);
  });
  params.set("filters", JSON.stringify({ ...others, ...(network.length > 0 && { network }) }));
  return {
    hosts: hosts === undefined ? undefined : filters.values(hostsFilter),
    url: `${url.slice(0, at)}?${params}`,
  };
}

interface Listed {
  readonly rows: Fields[];
  /** Names of the hosts that did not answer. */
  readonly silent: readonly string[];
}

/** Errors: ApiError with an engine's refusal, such as an invalid filter. */
async function rowsOf(
  context: ContainerContext,
  nodes: readonly Node[],
  url: string,
): Promise<Listed> {
  const { door, containers } = context;
  const rows: Fields[] = [];
  const silent: string[] = [];
  const add = (node: Node["ID"], name: string, answer: SmallAnswer | undefined): void => {
    if (answer === undefined || answer.status >= 500) return void silent.push(name);
    rows.push(...rowsIn(answer).map((row) => withHost(seen(context, row, node), name)));
  };
  const own = nodes.find(({ ID }) => ID === door.self);
  if (own !== undefined) {
    add(own.ID, hostnameOf(own), await containers.askHere(url).catch(missing));
  }
  const others = containers.others().filter(({ id }) => nodes.some(({ ID }) => ID === id));
  await containers.ofEach(others, async (host) => {
    add(host.id, host.name, await host.ask(url).catch(unanswered));
  });
  return { rows, silent };
}

/** Errors: ApiError with an engine's refusal. */
function rowsIn(answer: SmallAnswer): readonly Fields[] {
  const rows = listOf(answer);
  if (rows === undefined) throw new ApiError(answer.status, messageIn(answer));
  return rows.map(fieldsOf);
}

function withHost(row: Fields, host: string): Fields {
  const names = Array.isArray(row.Names) ? row.Names.map(textOf) : [];
  return {
    ...row,
    Names: names.map((name) => `/${host}${name}`),
    Labels: { ...fieldsOf(row.Labels), [hostLabel]: host },
  };
}
