/** Service routes. readServiceSpec() decides what a spec may hold; the store decides whether it can be applied. */
import type { ServiceId } from "@gam/core";
import {
  type AskedChange,
  checkTemplate,
  engineTooOld,
  ingressOf,
  needsIngress,
  type PinFacts,
  pinnedImage,
  readServiceSpec,
  type Service,
  type ServiceMode,
  type ServiceSpec,
  serviceNetworks,
  type View,
  zoneProblem,
} from "@gam/state";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { serviceAnswer, serviceNaming } from "../answers/service-answer.ts";
import { awaitView } from "../engine/await-view.ts";
import { pinFacts } from "../engine/image-pins.ts";
import { type EngineNames, networksById, withEngineNetworks } from "../engine/service-networks.ts";
import { ApiError } from "../request/api-error.ts";
import { askedVersion } from "../request/api-version.ts";
import { Filters } from "../request/filters.ts";
import { readJsonBody } from "../request/json-body.ts";
import { Query } from "../request/query.ts";
import { resolve } from "../request/reference.ts";
import { madeUpName } from "../request/service-name.ts";
import { writeChange } from "./first-try.ts";
import { freshView, type RouteContext, requireActive, sureView, write } from "./route-context.ts";

interface Ref {
  readonly Params: { readonly ref: string };
}

type ServiceUpdate = Extract<AskedChange, { kind: "updateService" }>;

const filterKeys = ["id", "label", "mode", "name", "runtime"];
/**
 * How long a creation waits for ports and addresses, so that a client that inspects the service at once sees them,
 * as in Swarm.
 */
const endpointMsMax = 1000;
const unimplemented = "rpc error: code = Unimplemented desc =";

export function serviceRoutes(app: FastifyInstance, context: RouteContext): void {
  const { door } = context;

  app.get("/services", async (request) => {
    requireActive(door);
    const query = new Query(request.url);
    const filters = new Filters(query.text("filters"), filterKeys);
    const view = await freshView(context);
    const options = { defaults: false, ...(query.flag("status") && { counted: view }) };
    const services = view.services().filter((service) => isListed(service, filters));
    return services.map((service) => serviceAnswer(service, options));
  });

  app.post("/services/create", async (request, reply) => {
    const body = await readJsonBody(request.body);
    const id = door.mint() as ServiceId;
    const auth = authOf(request);
    const facts = await pinFacts(context.engine, door, body);
    await writeService(context, (view, names) => {
      const read = readSpec(body, { view, names, url: request.originalUrl });
      const pinned = withPin(read, { ...facts, current: undefined });
      const spec = { ...pinned, Name: read.Name || madeUpName(id) };
      const registryAuth = auth === undefined ? undefined : door.sealer().sealCredentials(id, auth);
      return { kind: "createService", id, spec, registryAuth };
    });
    await awaitView(door, (view) => hasEndpoint(view, id) || undefined, endpointMsMax);
    return reply.code(201).send({ ID: id });
  });

  app.get<Ref>("/services/:ref", async (request) => {
    const view = await freshView(context);
    const service = resolve(request.params.ref, view.services(), serviceNaming);
    return serviceAnswer(service, { defaults: new Query(request.url).flag("insertDefaults") });
  });

  app.post<Ref>("/services/:ref/update", async (request) => {
    requireActive(door);
    const body = await readJsonBody(request.body);
    const query = new Query(request.url);
    const basedOn = query.version("service");
    const rollback = query.text("rollback") ?? "";
    const facts = await pinFacts(context.engine, door, body);
    await writeService(context, (view, names) => {
      const service = resolve(request.params.ref, view.services(), serviceNaming);
      // A rollback checks the body as well, but does not use it.
      const spec = readSpec(body, { view, names, url: request.originalUrl });
      if (rollback !== "" && rollback !== "previous") {
        throw new ApiError(500, `unrecognized rollback option ${rollback}`);
      }
      if (rollback === "previous") return rollbackOf(service, basedOn);
      const from = credentialsFrom(query);
      const auth = authOf(request);
      const current = service.Spec.TaskTemplate.ContainerSpec.Image;
      const update = updateOf(service, withPin(spec, { ...facts, current }), basedOn);
      if (auth === undefined) return { ...update, ...(from && { registryAuthFrom: from }) };
      return { ...update, registryAuth: door.sealer().sealCredentials(service.ID, auth) };
    });
    return { Warnings: null };
  });

  app.delete<Ref>("/services/:ref", async (request, reply) => {
    const view = await sureView(context);
    const { ID } = resolve(request.params.ref, view.services(), serviceNaming);
    await write(context, [{ kind: "removeService", id: ID }]);
    return reply.send();
  });
}

/** Whether the leader has given the service its published ports and its addresses, or the service is gone. */
function hasEndpoint(view: View, id: ServiceId): boolean {
  const service = view.service(id);
  if (service === undefined) return true;
  const { Spec, Endpoint } = service;
  const held = new Set(Endpoint.VirtualIPs?.map(({ NetworkID }) => NetworkID));
  return (
    (Spec.EndpointSpec?.Ports ?? []).length === (Endpoint.Ports ?? []).length &&
    serviceNetworks(service, view).every(({ Id }) => held.has(Id))
  );
}

function isListed({ ID, Spec }: Service, filters: Filters): boolean {
  return (
    filters.prefix("id", ID) &&
    filters.prefix("name", Spec.Name) &&
    filters.exact("mode", modeWord(Spec.Mode)) &&
    filters.exact("runtime", Spec.TaskTemplate.Runtime ?? "container") &&
    filters.clusterLabels("label", Spec.Labels)
  );
}

/** Returns: the mode's name in filters and listings. */
function modeWord(mode: ServiceMode): string {
  if (mode.Global !== undefined) return "global";
  if (mode.GlobalJob !== undefined) return "global-job";
  return mode.ReplicatedJob === undefined ? "replicated" : "replicated-job";
}

async function writeService(
  context: RouteContext,
  changeIn: (view: View, names: EngineNames) => AskedChange,
): Promise<void> {
  await withEngineNetworks(context.engine, (names) =>
    writeChange(context, (view) => changeIn(view, names)),
  );
}

function readSpec(
  body: unknown,
  { view, names, url }: { readonly view: View; readonly names: EngineNames; readonly url: string },
): ServiceSpec {
  const rules = { checkTemplate, ownProblem: zoneProblem, apiVersion: askedVersion(url) };
  const spec = readServiceSpec(body, rules);
  insistOnEngine(spec, view);
  if (needsIngress(spec.EndpointSpec, spec.Labels) && ingressOf(view) === undefined) {
    const message = "service needs ingress network, but no ingress network is present";
    throw new ApiError(400, `rpc error: code = FailedPrecondition desc = ${message}`);
  }
  const { TaskTemplate } = spec;
  return {
    ...spec,
    TaskTemplate: {
      ...TaskTemplate,
      ...(TaskTemplate.Networks && { Networks: networksById(TaskTemplate.Networks, view, names) }),
    },
    ...(spec.Networks && { Networks: networksById(spec.Networks, view, names) }),
  };
}

/** A tag that no client could pin is pinned to what hosts have. */
function withPin(spec: ServiceSpec, facts: PinFacts): ServiceSpec {
  const { TaskTemplate } = spec;
  const { ContainerSpec } = TaskTemplate;
  const Image = pinnedImage(ContainerSpec.Image, facts);
  return { ...spec, TaskTemplate: { ...TaskTemplate, ContainerSpec: { ...ContainerSpec, Image } } };
}

/** Refuses what no engine of the cluster can do. Where only some can, the scheduler picks those. */
function insistOnEngine({ TaskTemplate }: ServiceSpec, view: View): void {
  const problems = view.nodes().map((node) => engineTooOld(TaskTemplate, node));
  const [first] = problems;
  if (first === undefined || problems.includes(undefined)) return;
  const message = `${first}. All engines of this cluster are older`;
  throw new ApiError(400, `rpc error: code = InvalidArgument desc = ${message}`);
}

/** Takes only fields that never change (id, name, mode) from this peer's copy, which may be old. */
function updateOf(service: Service, spec: ServiceSpec, basedOn: number): ServiceUpdate {
  if (spec.Name !== service.Spec.Name) {
    throw new ApiError(501, `${unimplemented} renaming services is not supported`);
  }
  if (modeWord(spec.Mode) !== modeWord(service.Spec.Mode)) {
    throw new ApiError(501, `${unimplemented} service mode change is not allowed`);
  }
  return { kind: "updateService", id: service.ID, spec, basedOn };
}

/** Swaps the spec with the previous one, so another rollback swaps them back. */
function rollbackOf(service: Service, basedOn: number): ServiceUpdate {
  // A copy of another version proves nothing here. The store checks this as well.
  if (service.Version.Index === basedOn && service.PreviousSpec === undefined) {
    const message = `service ${service.ID} does not have a previous spec`;
    throw new ApiError(400, `rpc error: code = FailedPrecondition desc = ${message}`);
  }
  return { kind: "updateService", id: service.ID, spec: "previous", basedOn };
}

/** Returns: the header unchecked. The pull reports invalid credentials. */
function authOf(request: FastifyRequest): string | undefined {
  const header = request.headers["x-registry-auth"];
  return typeof header === "string" && header !== "" ? header : undefined;
}

/** Returns: which of the service's own credentials to keep, if the call brings none. */
function credentialsFrom(query: Query): ServiceUpdate["registryAuthFrom"] {
  const from = query.text("registryAuthFrom") ?? "";
  if (from === "") return undefined;
  if (from === "spec" || from === "previous-spec") return from;
  throw new ApiError(500, "unsupported registryAuthFrom value");
}
