/**
 * Content routes: secrets and configs.
 *
 * Unlike Swarm, an update may change the data: the services that use the object then replace their tasks. An update
 * with the same data changes nothing but the labels. Whether it is the same is found here, by opening the present
 * content. The state has nothing by which contents could be compared or guessed.
 */
import { type ConfigId, equalBytes, GamError, type SecretId } from "@gam/core";
import {
  type AskedChange,
  type Config,
  insistOnData,
  type Labels,
  payloadProblem,
  type ReadConfig,
  type ReadSecret,
  readConfigSpec,
  readSecretSpec,
  type Secret,
  type View,
  withoutQuotes,
} from "@gam/state";
import type { FastifyInstance } from "fastify";
import {
  configAnswer,
  configNaming,
  secretAnswer,
  secretNaming,
} from "../answers/content-answer.ts";
import type { ClusterDoor } from "../door/door.ts";
import { Filters } from "../request/filters.ts";
import { readJsonBody } from "../request/json-body.ts";
import { Query } from "../request/query.ts";
import { type Naming, resolve } from "../request/reference.ts";
import { writeChange } from "./first-try.ts";
import { freshView, type RouteContext, requireActive, sureView, write } from "./route-context.ts";

interface Ref {
  readonly Params: { readonly ref: string };
}

type Read = ReadSecret | ReadConfig;

/** An update as far as secrets and configs are alike. */
interface Update {
  readonly labels: Labels;
  readonly basedOn: number;
  /** Absent: the content stays. */
  readonly content: { readonly version: number; readonly data: Uint8Array } | undefined;
}

/** What distinguishes secrets and configs. */
interface Kind<Holder extends Secret | Config> {
  readonly word: "secret" | "config";
  readonly filterKeys: readonly string[];
  readonly naming: Naming<Holder>;
  readonly all: (view: View) => readonly Holder[];
  readonly answer: (holder: Holder) => object;
  readonly read: (body: unknown) => Read;
  readonly data: (holder: Holder, door: ClusterDoor) => Uint8Array | undefined;
  readonly creation: (
    id: string,
    made: { readonly spec: Read["spec"]; readonly data: Uint8Array },
    door: ClusterDoor,
  ) => AskedChange;
  readonly update: (holder: Holder, update: Update, door: ClusterDoor) => AskedChange;
  readonly removal: (holder: Holder) => AskedChange;
}

const secrets: Kind<Secret> = {
  word: "secret",
  filterKeys: ["id", "label", "name", "names"],
  naming: secretNaming,
  all: (view) => view.secrets(),
  answer: secretAnswer,
  read: readSecretSpec,
  data: (secret, door) => door.sealer().openSecret(secret, secret.Gam.current),
  creation: (made, { spec, data }, door) => {
    const id = made as SecretId;
    const content = { version: 1, ...door.sealer().sealSecret(id, 1, data) };
    return { kind: "createSecret", id, spec, content };
  },
  update: ({ ID: id }, { labels, basedOn, content }, door) => {
    if (content === undefined) return { kind: "updateSecret", id, labels, basedOn };
    const { version, data } = content;
    const sealed = { version, ...door.sealer().sealSecret(id, version, data) };
    return { kind: "updateSecret", id, labels, basedOn, content: sealed };
  },
  removal: ({ ID }) => ({ kind: "removeSecret", id: ID }),
};

const configs: Kind<Config> = {
  word: "config",
  filterKeys: ["id", "label", "name"],
  naming: configNaming,
  all: (view) => view.configs(),
  answer: configAnswer,
  read: readConfigSpec,
  data: ({ Gam }) => Gam.contents.find(({ version }) => version === Gam.current)?.data,
  creation: (made, { spec, data }) => {
    return { kind: "createConfig", id: made as ConfigId, spec, content: { version: 1, data } };
  },
  update: ({ ID: id }, { labels, basedOn, content }) => {
    return { kind: "updateConfig", id, labels, basedOn, content };
  },
  removal: ({ ID }) => ({ kind: "removeConfig", id: ID }),
};

export function secretRoutes(app: FastifyInstance, context: RouteContext): void {
  contentRoutes(app, context, secrets);
}

export function configRoutes(app: FastifyInstance, context: RouteContext): void {
  contentRoutes(app, context, configs);
}

function contentRoutes<Holder extends Secret | Config>(
  app: FastifyInstance,
  context: RouteContext,
  kind: Kind<Holder>,
): void {
  const { door } = context;
  const { word } = kind;
  const find = (view: View, ref: string): Holder => resolve(ref, kind.all(view), kind.naming);

  app.get(`/${word}s`, async (request) => {
    requireActive(door);
    const filters = new Filters(new Query(request.url).text("filters"), kind.filterKeys);
    const all = kind.all(await freshView(context));
    return all.filter((one) => isListed(one, filters)).map(kind.answer);
  });

  app.post(`/${word}s/create`, async (request, reply) => {
    requireActive(door);
    const { spec, data } = kind.read(await readJsonBody(request.body));
    const made = { spec, data: insistOnData(data, word) };
    if (spec.Templating !== undefined) insistOnTemplate(made.data, word);
    const id = door.mint();
    await writeChange(context, () => kind.creation(id, made, door));
    return reply.code(201).send({ ID: id });
  });

  app.get<Ref>(`/${word}s/:ref`, async (request) => {
    return kind.answer(find(await freshView(context), request.params.ref));
  });

  app.post<Ref>(`/${word}s/:ref/update`, async (request, reply) => {
    requireActive(door);
    const read = kind.read(await readJsonBody(request.body));
    const basedOn = new Query(request.url).version(word);
    await writeChange(context, (view) => {
      const holder = find(view, request.params.ref);
      return kind.update(holder, updateOf(kind, { holder, read, basedOn }, door), door);
    });
    return reply.send();
  });

  app.delete<Ref>(`/${word}s/:ref`, async (request, reply) => {
    const holder = find(await sureView(context), request.params.ref);
    await write(context, [kind.removal(holder)]);
    return reply.code(204).send();
  });
}

/** Swarm accepts any text, and then every task that uses it is rejected. */
function insistOnTemplate(data: Uint8Array, word: "secret" | "config"): void {
  const problem = payloadProblem(data);
  if (problem === undefined) return;
  const reason = word === "secret" ? withoutQuotes(problem) : problem;
  const message = `the data of the ${word} is no template: ${reason}`;
  throw new GamError("BAD_REQUEST", `rpc error: code = InvalidArgument desc = ${message}`);
}

function isListed({ ID, Spec }: Secret | Config, filters: Filters): boolean {
  return (
    filters.prefix("id", ID) &&
    filters.prefix("name", Spec.Name) &&
    filters.exact("names", Spec.Name) &&
    filters.clusterLabels("label", Spec.Labels)
  );
}

function updateOf<Holder extends Secret | Config>(
  kind: Kind<Holder>,
  asked: { readonly holder: Holder; readonly read: Read; readonly basedOn: number },
  door: ClusterDoor,
): Update {
  const { holder, basedOn } = asked;
  const { spec, data: sent } = asked.read;
  // This copy may be older than the version that the client has seen. Then its content says nothing.
  if (holder.Version.Index !== basedOn) {
    throw new GamError("STALE_VERSION", "rpc error: code = Unknown desc = update out of sequence");
  }
  const isOther = spec.Templating !== undefined && holder.Spec.Templating === undefined;
  if (spec.Name !== holder.Spec.Name || isOther) {
    const message = "only updates to Labels are allowed";
    const more = isOther ? " (and to Data: the template driver stays as it is)" : "";
    throw new GamError("BAD_REQUEST", `rpc error: code = InvalidArgument desc = ${message}${more}`);
  }
  const labels = spec.Labels;
  if (sent === undefined) return { labels, basedOn, content: undefined };
  const data = insistOnData(sent, kind.word);
  if (holder.Spec.Templating !== undefined) insistOnTemplate(data, kind.word);
  const present = kind.data(holder, door);
  if (present !== undefined && equalBytes(present, data)) {
    return { labels, basedOn, content: undefined };
  }
  return { labels, basedOn, content: { version: holder.Gam.last + 1, data } };
}
