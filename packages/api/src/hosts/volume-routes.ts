/**
 * Volume routes: the local volumes of all hosts, and the cluster's record of where the data of services is.
 *
 *   docker volume ls                              this host's
 *   docker volume ls --filter gam.hosts=all       those of all hosts, as HOST/NAME; or gam.hosts=host2, repeatedly
 *   docker volume inspect NAME | HOST/NAME        also another host's
 *   docker volume create HOST/NAME                on that host; a bare name: on this one
 *   docker volume rm NAME | HOST/NAME             a bare name: only this host's
 *   docker volume prune --filter gam.hosts=all    of all hosts; without the filter this host's
 *
 * When an engine has removed a volume, no task has to go to its host for it: the record is removed, too.
 */
import { GamError, jsonOr } from "@gam/core";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { hostnameOf } from "../answers/node-answer.ts";
import { messageIn, missing } from "../engine/engine.ts";
import { passCall } from "../engine/engine-proxy.ts";
import { requireManager } from "../engine/worker-calls.ts";
import { ApiError } from "../request/api-error.ts";
import { type Fields, fieldsOf, textOf } from "../request/fields.ts";
import { Filters } from "../request/filters.ts";
import { readJsonBody } from "../request/json-body.ts";
import { backupRoutes } from "./backup-routes.ts";
import { silentText } from "./candidates.ts";
import type { ContainerContext } from "./container-routes.ts";
import { unanswered } from "./containers.ts";
import { hostLabel, hostsFilter, nodesCalled } from "./hosts-asked.ts";
import { restoreRoutes } from "./restore-routes.ts";
import { volumeReference } from "./volume-call.ts";
import { volumeRecordRoutes } from "./volume-records.ts";
import { type VolumeOrder, type VolumePlace, Volumes } from "./volumes.ts";

interface Ref {
  readonly Params: { readonly host?: string; readonly ref: string };
}

export function volumeRoutes(app: FastifyInstance, context: ContainerContext): void {
  const { door, engine } = context;
  const volumes = new Volumes(context);
  volumeRecordRoutes(app, context);
  backupRoutes(app, context);
  restoreRoutes(app, context);

  app.get("/volumes", async (request, reply) => {
    const { hosts, url } = asked(request);
    if (hosts === undefined || door.state() !== "active") {
      return await passCall(engine, request, reply);
    }
    requireManager(door);
    const { answers, silent } = await ofHosts(context, { volumes, hosts }, { method: "GET", url });
    if (silent.length > 0) reply.header("Warning", `199 gam "${silentText(silent).trim()}"`);
    const rows = answers.flatMap(({ host, body }) =>
      listIn(body.Volumes, (row) => named(row, host)),
    );
    const warnings = answers.flatMap(({ body }) => listIn(body.Warnings, (one) => one));
    return { Volumes: rows, Warnings: warnings.length > 0 ? warnings : null };
  });

  for (const path of ["/volumes/:ref", "/volumes/:host/:ref"]) {
    app.get<Ref>(path, async (request, reply) => {
      const asked = referenceOf(request);
      if (!volumes.reachesOthers || asked === undefined) {
        return await passCall(engine, request, reply);
      }
      const place = await volumes.find(asked, true);
      const url = urlAbout(request, `/${asked.name}`);
      const answer = await volumes.order(place, { method: "GET", url });
      if (answer.status !== 200) throw new ApiError(answer.status, messageIn(answer));
      const row = fieldsOf(answer.body);
      return place.host === undefined ? row : labelled(row, place.host.name);
    });

    app.delete<Ref>(path, async (request, reply) => {
      const asked = referenceOf(request);
      if (door.state() !== "active" || asked === undefined) {
        return await passCall(engine, request, reply);
      }
      if (asked.host !== undefined) requireManager(door);
      const place = volumes.reachesOthers ? await volumes.find(asked, false) : here(context);
      const url = urlAbout(request, `/${asked.name}`);
      const answer = await volumes.order(place, { method: "DELETE", url });
      // Removed at the engine's own socket before: only the record is left.
      const isLeft = answer.status === 404 && isHome(context, asked.name, place);
      if (answer.status !== 204 && !isLeft) throw new ApiError(answer.status, messageIn(answer));
      await forget(context, [asked.name], place);
      return reply.code(204).send();
    });
  }

  app.post("/volumes/create", async (request, reply) => {
    const body = await readJsonBody(request.body);
    const { Name } = fieldsOf(body);
    const asked = volumeReference(textOf(Name));
    if (asked?.host === undefined || door.state() !== "active") {
      return await passCall(engine, request, reply, { body: Buffer.from(JSON.stringify(body)) });
    }
    requireManager(door);
    const place = volumes.on(volumes.nodeCalled(asked.host, asked.name));
    const made = { ...fieldsOf(body), Name: asked.name };
    const url = request.originalUrl;
    const answer = await volumes.order(place, { method: "POST", url, body: made });
    if (answer.status !== 201) throw new ApiError(answer.status, messageIn(answer));
    return reply.code(201).send(named(fieldsOf(answer.body), asked.host));
  });

  app.post("/volumes/prune", async (request, reply) => {
    if (door.state() !== "active") return await passCall(engine, request, reply);
    const { hosts, url } = asked(request);
    const order = { method: "POST", url } as const;
    if (hosts === undefined) {
      const answer = await volumes.order(here(context), order);
      if (answer.status !== 200) throw new ApiError(answer.status, messageIn(answer));
      await forget(context, listIn(fieldsOf(answer.body).VolumesDeleted, textOf), here(context));
      return answer.body;
    }
    requireManager(door);
    const { answers, silent } = await ofHosts(context, { volumes, hosts }, order);
    if (silent.length > 0) reply.header("Warning", `199 gam "${silentText(silent).trim()}"`);
    const deleted: string[] = [];
    for (const { body, host, place } of answers) {
      const names = listIn(body.VolumesDeleted, textOf);
      await forget(context, names, place);
      deleted.push(...names.map((name) => `${host}/${name}`));
    }
    const SpaceReclaimed = answers.reduce((sum, { body }) => sum + Number(body.SpaceReclaimed), 0);
    return { VolumesDeleted: deleted, SpaceReclaimed };
  });
}

function here({ door }: ContainerContext): VolumePlace {
  return { node: door.self, host: undefined };
}

function referenceOf({ params: { host, ref } }: FastifyRequest<Ref>) {
  return volumeReference(host === undefined ? ref : `${host}/${ref}`);
}

/** Returns: the call about the volume of this name, in the version and with the query of the request. */
function urlAbout({ originalUrl }: FastifyRequest, rest: string): string {
  const [, version = "", query = ""] =
    /^(\/v\d+\.\d+)?\/volumes[^?]*(\?.*)?$/.exec(originalUrl) ?? [];
  return `${version}/volumes${rest}${query}`;
}

interface Asked {
  /** Undefined: this host. */
  readonly hosts: readonly string[] | undefined;
  /** Without the filter for hosts, which no engine knows. */
  readonly url: string;
}

function asked({ originalUrl: url }: FastifyRequest): Asked {
  const at = url.indexOf("?");
  const params = new URLSearchParams(at < 0 ? "" : url.slice(at + 1));
  const text = params.get("filters") ?? "";
  const { [hostsFilter]: hosts, ...others } = fieldsOf(jsonOr(text, undefined));
  if (hosts === undefined) return { hosts: undefined, url };
  params.set("filters", JSON.stringify(others));
  return {
    hosts: new Filters(text, "any").values(hostsFilter),
    url: `${url.slice(0, at)}?${params}`,
  };
}

interface HostsAnswer {
  readonly place: VolumePlace;
  readonly host: string;
  readonly body: Fields;
}

/** Asks the hosts at once. Errors: ApiError with an engine's refusal, such as an invalid filter. */
async function ofHosts(
  context: ContainerContext,
  { volumes, hosts }: { readonly volumes: Volumes; readonly hosts: readonly string[] },
  order: VolumeOrder,
): Promise<{ readonly answers: readonly HostsAnswer[]; readonly silent: readonly string[] }> {
  const silent: string[] = [];
  const nodes = nodesCalled(hosts, context.door.view().nodes());
  const answers = await Promise.all(
    nodes.map(async (node): Promise<HostsAnswer | undefined> => {
      const place = volumes.on(node);
      const failed = place.host === undefined ? missing : unanswered;
      const answer = await volumes.order(place, order).catch(failed);
      if (answer !== undefined && answer.status < 300) {
        return { place, host: hostnameOf(node), body: fieldsOf(answer.body) };
      }
      if (answer !== undefined && answer.status < 500) {
        throw new ApiError(answer.status, messageIn(answer));
      }
      silent.push(hostnameOf(node));
      return undefined;
    }),
  );
  return { answers: answers.filter((one) => one !== undefined), silent };
}

function listIn<T>(list: unknown, read: (one: never) => T): readonly T[] {
  return Array.isArray(list) ? list.map((one) => read(one as never)) : [];
}

function labelled(row: Fields, host: string): Fields {
  return { ...row, Labels: { ...fieldsOf(row.Labels), [hostLabel]: host } };
}

function named(row: Fields, host: string): Fields {
  return { ...labelled(row, host), Name: `${host}/${textOf(row.Name)}` };
}

function isHome({ door }: ContainerContext, name: string, { node }: VolumePlace): boolean {
  const homes = door
    .view()
    .volumes()
    .find(({ ID }) => ID === name)?.Homes;
  return homes?.some((home) => home.node === node) === true;
}

/** Tells the cluster that the host has no volumes of these names any more. */
async function forget(
  context: ContainerContext,
  names: readonly string[],
  place: VolumePlace,
): Promise<void> {
  const { door } = context;
  if (!names.some((name) => isHome(context, name, place))) return;
  await door.fresh();
  const known = door
    .view()
    .volumes()
    .filter(({ ID }) => names.includes(ID));
  for (const { ID: id } of known.filter((one) => isHome(context, one.ID, place))) {
    await door.propose([{ kind: "removeVolume", id, node: place.node }]).catch(unlessMissing);
  }
}

/** Removed by another client meanwhile. */
function unlessMissing(thrown: unknown): void {
  if (!(thrown instanceof GamError) || thrown.code !== "NOT_FOUND") throw thrown;
}
