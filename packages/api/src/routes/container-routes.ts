/**
 * Container routes: the list of containers, of this host or, with the filter "gam.hosts", of others too.
 *
 *   docker ps                                  this host's, as its engine lists them
 *   docker ps --filter gam.hosts=all           those of all hosts
 *   docker ps --filter gam.hosts=host2         those of one host; may be repeated
 *
 * Listed rows name their host: in the label "gam.host", and before each name ("host2/web"), which is also how a
 * client may refer to the container.
 */
import { jsonOr } from "@gam/core";
import type { Node } from "@gam/state";
import type { FastifyInstance } from "fastify";
import { nodeNaming } from "../answers/node-answer.ts";
import { missing } from "../engine/engine.ts";
import { listOf } from "../engine/engine-networks.ts";
import { passCall } from "../engine/engine-proxy.ts";
import { requireManager } from "../engine/worker-calls.ts";
import { silentText } from "../hosts/candidates.ts";
import { unanswered } from "../hosts/containers.ts";
import { ApiError } from "../request/api-error.ts";
import { type Fields, fieldsOf, textOf } from "../request/fields.ts";
import { Filters } from "../request/filters.ts";
import { Query } from "../request/query.ts";
import { type RouteContext, requireActive } from "./route-context.ts";

const hostsFilter = "gam.hosts";
const hostLabel = "gam.host";
const allHosts = "all";

export function containerRoutes(app: FastifyInstance, context: RouteContext): void {
  const { door, engine } = context;

  app.get("/containers/json", async (request, reply) => {
    const asked = hostsAsked(request.originalUrl);
    if (asked === undefined) return await passCall(engine, request, reply);
    requireActive(door);
    requireManager(door);
    const nodes = nodesCalled(asked.hosts, door.view().nodes());
    const { rows, silent } = await rowsOf(context, nodes, asked.url);
    if (silent.length > 0) reply.header("Warning", `199 gam "${silentText(silent).trim()}"`);
    const limit = Number(new Query(asked.url).text("limit") ?? 0);
    const sorted = rows.sort((a, b) => Number(b.Created) - Number(a.Created));
    return limit > 0 ? sorted.slice(0, limit) : sorted;
  });
}

interface Asked {
  readonly hosts: readonly string[];
  /** The call without that filter, which engines do not know. */
  readonly url: string;
}

/** Returns: undefined for a call that names no hosts, and for invalid filters, which the engine refuses. */
function hostsAsked(url: string): Asked | undefined {
  const at = url.indexOf("?");
  const params = new URLSearchParams(at < 0 ? "" : url.slice(at + 1));
  const text = params.get("filters") ?? "";
  const { [hostsFilter]: asked, ...others } = fieldsOf(jsonOr(text, undefined));
  if (asked === undefined) return undefined;
  params.set("filters", JSON.stringify(others));
  const hosts = new Filters(text, "any").values(hostsFilter);
  return { hosts, url: `${url.slice(0, at)}?${params}` };
}

/** Errors: ApiError 400 for an unknown host. */
function nodesCalled(hosts: readonly string[], nodes: readonly Node[]): readonly Node[] {
  const { id, names } = nodeNaming;
  const isCalled = (node: Node, host: string): boolean =>
    host === allHosts || id(node) === host || names(node).includes(host);
  for (const host of hosts) {
    if (nodes.some((node) => isCalled(node, host))) continue;
    const remedy = `Use "all", or a host that "docker node ls" lists`;
    throw new ApiError(400, `Invalid filter '${hostsFilter}=${host}': no such host. ${remedy}`);
  }
  return nodes.filter((node) => hosts.some((host) => isCalled(node, host)));
}

interface Listed {
  readonly rows: Fields[];
  readonly silent: readonly string[];
}

/** Errors: ApiError with an engine's refusal, such as an invalid filter. */
async function rowsOf(
  { door, engine, containers }: RouteContext,
  nodes: readonly Node[],
  url: string,
): Promise<Listed> {
  const rows: Fields[] = [];
  const silent: string[] = [];
  const add = (host: string, answer: Parameters<typeof listOf>[0]): void => {
    if (answer?.status === 400) {
      throw new ApiError(400, textOf(fieldsOf(answer.body).message));
    }
    const found = listOf(answer);
    if (found === undefined) silent.push(host);
    else rows.push(...found.map((row) => withHost(fieldsOf(row), host)));
  };
  const [own] = nodes.filter(({ ID }) => ID === door.self);
  if (own !== undefined) {
    const path = await engine.pathOf(url);
    add(nodeNaming.names(own)[0] ?? "", await engine.ask("GET", path).catch(missing));
  }
  const others = containers.others().filter(({ id }) => nodes.some(({ ID }) => ID === id));
  await containers.ofEach(others, async (host) => {
    add(host.name, await host.ask(url).catch(unanswered));
  });
  return { rows, silent };
}

function withHost(row: Fields, host: string): Fields {
  const names = Array.isArray(row.Names) ? row.Names.map(textOf) : [];
  return {
    ...row,
    Names: names.map((name) => `/${host}${name}`),
    Labels: { ...fieldsOf(row.Labels), [hostLabel]: host },
  };
}
