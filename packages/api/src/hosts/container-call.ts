/**
 * Container call: which calls are about one container or one exec, and so may concern another host.
 *
 * Decides by method and path alone. The table is also what a host accepts from other hosts: all other calls
 * (images, volumes, new containers) concern only the engine that the client asked.
 */
import { jsonOr } from "@gam/core";
import { fieldsOf } from "../request/fields.ts";

export interface ContainerCall {
  readonly kind: "container" | "exec";
  /** The host in a reference like "host2/web". */
  readonly host: string | undefined;
  /** Id, beginning of an id, or name; of an exec always the id. */
  readonly ref: string;
  /** What follows the reference: "logs", "attach/ws"; "" for a removal. */
  readonly operation: string;
  /** The version in the path, with its slash, and the query, with its question mark; "" for none. */
  readonly version: string;
  readonly query: string;
}

type Table = Readonly<Record<string, readonly string[]>>;

const containerOperations: Table = {
  GET: ["json", "logs", "top", "changes", "export", "stats", "archive", "attach/ws"],
  HEAD: ["archive"],
  PUT: ["archive"],
  POST: [
    ...["attach", "exec", "kill", "pause", "rename", "resize"],
    ...["restart", "start", "stop", "unpause", "update", "wait"],
  ],
  DELETE: [""],
};
const execOperations: Table = { GET: ["json"], POST: ["start", "resize"] };

const callPath = /^(\/v\d+\.\d+)?\/(containers|exec)\/([^?#]+)(\?.*)?$/;
const word = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

/** Returns: the parts of the call; `undefined` for a call that only the asked host's engine gets. */
export function containerCall(
  method: string | undefined,
  url: string | undefined,
): ContainerCall | undefined {
  const match = callPath.exec(url ?? "");
  if (match === null) return undefined;
  const [, version = "", first, rest = "", query = ""] = match;
  const words = rest.split("/");
  const operation = method === "DELETE" ? "" : operationOf(words);
  const names = operation === "" ? words : words.slice(0, -operation.split("/").length);
  const [host, ref] = names.length === 2 ? names : [undefined, names[0]];
  if (names.length > 2 || ref === undefined || !word.test(ref)) return undefined;
  if (host !== undefined && (first === "exec" || !word.test(host))) return undefined;
  const kind = first === "exec" ? "exec" : "container";
  const known = (kind === "exec" ? execOperations : containerOperations)[method ?? ""];
  if (known?.includes(operation) !== true) return undefined;
  return { kind, host, ref, operation, version, query };
}

function operationOf(words: readonly string[]): string {
  const isSocket = words.at(-2) === "attach" && words.at(-1) === "ws";
  return words.slice(isSocket ? -2 : -1).join("/");
}

/** Returns: the path and query of the call, about the container or exec with this reference. */
export function urlAbout(call: ContainerCall, ref: string): string {
  const end = call.operation === "" ? "" : `/${call.operation}`;
  const first = call.kind === "exec" ? "exec" : "containers";
  return `${call.version}/${first}/${ref}${end}${call.query}`;
}

const listPath = /^(\/v\d+\.\d+)?\/containers\/json(\?.*)?$/;
const eventsPath = /^((?:\/v\d+\.\d+)?\/events)(?:\?(.*))?$/;

/**
 * Returns: the path and query that this host's engine gets for a call of another host: calls about one container,
 * the list of containers, and containers' events. Undefined for all other calls.
 */
export function forOtherHosts(
  method: string | undefined,
  url: string | undefined,
): string | undefined {
  const call = containerCall(method, url);
  if (call !== undefined) return call.host === undefined ? url : undefined;
  if (method !== "GET") return undefined;
  if (listPath.test(url ?? "")) return url;
  const [, events, query] = eventsPath.exec(url ?? "") ?? [];
  if (events === undefined) return undefined;
  const params = new URLSearchParams(query);
  const filters = fieldsOf(jsonOr(params.get("filters") ?? "", undefined));
  params.set("filters", JSON.stringify({ ...filters, type: ["container"] }));
  return `${events}?${params}`;
}

/**
 * Returns: whether the reference must be an id, or name the host, to act on another host. Scripts remove or rename
 * a container by a usual name before they make their own; those calls must not reach another host's container.
 */
export function needsId({ kind, operation }: ContainerCall): boolean {
  return kind === "container" && (operation === "" || operation === "rename");
}
