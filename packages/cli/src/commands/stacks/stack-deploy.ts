/**
 * Stack deploy: makes the cluster match the stack files, in the docker client's order.
 *
 * `prune` removes services that are no longer in the files, before anything else: a new service may need their
 * ports. Networks, secrets and configs are created before the services that use them. Deploying the same files
 * again changes nothing. Nothing is checked here: stack-survey.ts has done that.
 */

import {
  dependenciesFirst,
  imageLabel,
  type Stack,
  type StackService,
  stackLabel,
  withObjects,
} from "@gam/compose";
import { check, GamError } from "@gam/core";
import type { AgentClient } from "../../agent/agent-client.ts";
import type { CommandIo } from "../../agent/command-io.ts";
import { checkService, type ServiceItem } from "../../agent/engine-calls.ts";
import type { Survey } from "./stack-survey.ts";

export type ResolveImage = "always" | "changed" | "never";

export interface DeployStackOptions {
  readonly name: string;
  readonly stack: Stack;
  readonly survey: Survey;
  /** Remove services of the stack that are not in the files. */
  readonly prune: boolean;
  /** When to ask the registry for the digest of a tag. */
  readonly resolveImage: ResolveImage;
  /** Returns: `X-Registry-Auth` for an image; `undefined` for none. */
  readonly registryAuth: (image: string) => string | undefined;
}

/** One write, with its name for "done" and "not done". */
export interface Step {
  readonly what: string;
  /** What is printed before; nothing where the docker client is silent. */
  readonly told?: string;
  readonly act: () => Promise<void>;
}

/** Returns: the writes, in order. */
export function deploySteps(
  client: AgentClient,
  io: CommandIo,
  options: DeployStackOptions,
): Step[] {
  const { name, stack, survey, prune } = options;
  const own = survey.services.filter(({ Spec }) => Spec.Labels?.[stackLabel] === name);
  const wanted = new Set(stack.services.map(({ spec }) => spec.Name));
  const known = new Map(own.map((service) => [service.Spec.Name, service]));
  const networks = new Set(
    survey.networks.flatMap(({ Name, Labels }) => (Labels?.[stackLabel] === name ? [Name] : [])),
  );
  const ids = {
    secrets: new Map(survey.secrets.map(({ ID, Spec }) => [Spec.Name, ID])),
    configs: new Map(survey.configs.map(({ ID, Spec }) => [Spec.Name, ID])),
  };
  const steps: Step[] = prune
    ? own.filter(({ Spec }) => !wanted.has(Spec.Name)).map((gone) => removeStep(client, gone))
    : [];
  for (const { body } of stack.networks) {
    if (networks.has(body.Name)) continue;
    const act = async (): Promise<void> => {
      const { Warning } = checkMade(await client.post("/networks/create", body), "answer");
      if (Warning) io.complain(Warning);
    };
    steps.push({ what: `network ${body.Name}`, told: `Creating network ${body.Name}`, act });
  }
  for (const kind of ["secrets", "configs"] as const) {
    const word = kind === "secrets" ? "secret" : "config";
    for (const { body } of stack[kind]) {
      const found = survey[kind].find(({ Spec }) => Spec.Name === body.Name);
      const what = `${word} ${body.Name}`;
      if (found !== undefined) {
        const path = `/${kind}/${found.ID}/update?version=${found.Version.Index}`;
        steps.push({ what, act: async () => void (await client.post(path, body)) });
        continue;
      }
      const act = async (): Promise<void> => {
        const { ID } = checkId(await client.post(`/${kind}/create`, body), "answer");
        ids[kind].set(body.Name, ID);
      };
      steps.push({ what, told: `Creating ${what}`, act });
    }
  }
  for (const service of releaseFirst(stack.services, known)) {
    const found = known.get(service.spec.Name);
    const { Name } = service.spec;
    steps.push({
      what: `service ${Name}`,
      told: found ? `Updating service ${Name} (id: ${found.ID})` : `Creating service ${Name}`,
      act: () => deployService(client, io, { service, found, ids, options }),
    });
  }
  return steps;
}

/** Services that hold a port which another one of the stack asks for come before it, then those that others wait for. */
function releaseFirst(
  services: readonly StackService[],
  known: ReadonlyMap<string, ServiceItem>,
): StackService[] {
  const asked = new Map<string, string>();
  for (const { spec } of services) {
    for (const { PublishedPort, Protocol } of spec.EndpointSpec?.Ports ?? []) {
      if (PublishedPort) asked.set(`${PublishedPort}/${Protocol ?? "tcp"}`, spec.Name);
    }
  }
  const releases = ({ spec }: StackService): boolean =>
    (known.get(spec.Name)?.Spec.EndpointSpec?.Ports ?? []).some(({ PublishedPort, Protocol }) => {
      const taker = asked.get(`${PublishedPort}/${Protocol ?? "tcp"}`);
      return taker !== undefined && taker !== spec.Name;
    });
  return [
    ...dependenciesFirst(services.filter(releases)),
    ...dependenciesFirst(services.filter((service) => !releases(service))),
  ];
}

const checkMade = check.object({ Warning: check.optional(check.string(1 << 12)) });
const checkId = check.object({ ID: check.string(256) });

interface DeployServiceOptions {
  readonly service: StackService;
  /** The service that is already in the cluster. */
  readonly found: ServiceItem | undefined;
  readonly ids: Parameters<typeof withObjects>[1];
  readonly options: DeployStackOptions;
}

type Body = ReturnType<typeof withObjects>;

async function deployService(
  client: AgentClient,
  io: CommandIo,
  { service, found, ids, options }: DeployServiceOptions,
): Promise<void> {
  const spec = withObjects(service, ids);
  const auth = options.registryAuth(spec.TaskTemplate.ContainerSpec.Image);
  const headers: Record<string, string> = auth === undefined ? {} : { "x-registry-auth": auth };
  const pinning = { client, io, headers };
  const { resolveImage } = options;
  if (found === undefined) {
    const body = resolveImage === "never" ? spec : await pinned(spec, pinning);
    const path = "/services/create";
    tellWarnings(io, await client.insist({ method: "POST", path, body, headers }));
    return;
  }
  const { Spec: before } = found;
  const sameImage = before.Labels?.[imageLabel] === spec.Labels?.[imageLabel];
  const ask = resolveImage === "always" || (resolveImage === "changed" && !sameImage);
  const image = before.TaskTemplate.ContainerSpec?.Image;
  const next = ask
    ? await pinned(spec, pinning)
    : sameImage && image
      ? withImage(spec, image)
      : spec;
  await updateService({ client, io, headers, body: next, id: found.ID });
}

const updatesMax = 5;

interface Updating extends Pinning {
  readonly id: string;
  readonly body: Body;
}

/**
 * A changed secret of this deploy may roll the service at the same time, which changes its version. So this reads
 * the version directly before the write, and tries again.
 */
async function updateService({ client, io, headers, id, body }: Updating): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const { Version, Spec } = checkService(await client.get(`/services/${id}`), "service");
    const { ForceUpdate = 0 } = Spec.TaskTemplate;
    const path = `/services/${id}/update?version=${Version.Index}`;
    // Keep the count of forced updates: another value here would restart the tasks once more.
    const whole = { ...body, TaskTemplate: { ...body.TaskTemplate, ForceUpdate } };
    try {
      tellWarnings(io, await client.insist({ method: "POST", path, body: whole, headers }));
      return;
    } catch (thrown) {
      const isLate = thrown instanceof GamError && thrown.message.includes("out of sequence");
      if (!isLate || attempt === updatesMax) throw thrown;
    }
  }
}

const checkWritten = check.object({
  Warnings: check.optional(check.list(check.string(1 << 12), 1000)),
});

function tellWarnings(io: CommandIo, answer: unknown): void {
  for (const warning of checkWritten(answer, "answer").Warnings ?? []) io.complain(warning);
}

const checkDistribution = check.object({
  Descriptor: check.object({ digest: check.string() }),
  Platforms: check.optional(
    check.list(
      check.object({
        architecture: check.optional(check.string()),
        os: check.optional(check.string()),
      }),
      100,
    ),
  ),
});

interface Pinning {
  readonly client: AgentClient;
  readonly io: CommandIo;
  readonly headers: Readonly<Record<string, string>>;
}

/** The spec with the digest of its image's tag, so that all nodes run the same image. */
async function pinned(spec: Body, { client, io, headers }: Pinning): Promise<Body> {
  const { Image: image } = spec.TaskTemplate.ContainerSpec;
  if (image.includes("@")) return spec;
  const path = `/distribution/${image}/json`;
  const { status, body } = await client.send({ method: "GET", path, headers });
  if (status !== 200) {
    io.complain(
      `No registry gave a digest for ${image}: nodes run the image that this host has by this name, else the one that other hosts have`,
    );
    return spec;
  }
  const { Descriptor, Platforms = [] } = checkDistribution(body, "distribution");
  const whole = withImage(spec, `${image}@${Descriptor.digest}`);
  if (Platforms.length === 0) return whole;
  const platforms = Platforms.map(({ architecture = "", os = "" }) => ({
    Architecture: architecture,
    OS: os,
  }));
  const placement = { ...whole.TaskTemplate.Placement, Platforms: platforms };
  return { ...whole, TaskTemplate: { ...whole.TaskTemplate, Placement: placement } };
}

function withImage(spec: Body, image: string): Body {
  const { TaskTemplate: task } = spec;
  const container = { ...task.ContainerSpec, Image: image };
  return { ...spec, TaskTemplate: { ...task, ContainerSpec: container } };
}

function removeStep(client: AgentClient, { ID, Spec }: ServiceItem): Step {
  return {
    what: `service ${Spec.Name}`,
    told: `Removing service ${Spec.Name}`,
    act: async () => void (await client.delete(`/services/${ID}`)),
  };
}

export interface Performed {
  readonly done: readonly string[];
  readonly left: readonly string[];
}

/**
 * Performs the steps one by one, until `isStopped`.
 *
 * Errors: those of a step, with what was done before and what is left.
 */
export async function perform(
  steps: readonly Step[],
  io: CommandIo,
  isStopped: () => boolean,
): Promise<Performed> {
  for (const [index, step] of steps.entries()) {
    const done = steps.slice(0, index).map(({ what }) => what);
    const left = steps.slice(index).map(({ what }) => what);
    if (isStopped()) return { done, left };
    if (step.told !== undefined) io.print(step.told);
    try {
      await step.act();
    } catch (thrown) {
      if (!(thrown instanceof GamError)) throw thrown;
      const before = done.length === 0 ? "nothing was changed" : `done before: ${done.join(", ")}`;
      const advice = "Correct the cause and deploy again";
      const message = `Cannot deploy ${step.what}: ${thrown.message} (${before}). ${advice}`;
      throw new GamError(thrown.code, message, { cause: thrown });
    }
  }
  return { done: steps.map(({ what }) => what), left: [] };
}
