/**
 * Stack deploy: makes the mesh match the stack files, in the docker client's order.
 *
 * `prune` removes services that are no longer in the files, before anything else: a new service may need their
 * ports. Networks are created before the services that use them. Deploying the same files again changes
 * nothing.
 */

import { imageLabel, type Stack } from "@gam/compose";
import { check, GamError } from "@gam/core";
import type { ServiceSpec } from "@gam/state";
import type { AgentClient } from "../agent/agent-client.ts";
import type { CommandIo } from "../agent/command-io.ts";
import { networksOf, type ServiceItem, servicesOf } from "../agent/engine-calls.ts";

export type ResolveImage = "always" | "changed" | "never";

export interface DeployStackOptions {
  readonly name: string;
  readonly stack: Stack;
  /** Remove services of the stack that are not in the files. */
  readonly prune: boolean;
  /** When to ask the registry for the digest of a tag. */
  readonly resolveImage: ResolveImage;
}

/** Networks that every engine has. */
const predefined = new Set(["bridge", "host", "none"]);

export async function deployStack(
  client: AgentClient,
  io: CommandIo,
  { name, stack, prune, resolveImage }: DeployStackOptions,
): Promise<void> {
  const wanted = new Set(stack.services.map(({ Name }) => Name));
  if (prune) {
    const left = (await servicesOf(client, name)).filter(({ Spec }) => !wanted.has(Spec.Name));
    for (const service of left) await removeService(client, io, service);
  }
  for (const network of stack.externalNetworks) await insistOnNetwork(client, network);
  const networks = new Set((await networksOf(client, name)).map(({ Name }) => Name));
  for (const network of stack.networks) {
    if (networks.has(network.Name)) continue;
    io.print(`Creating network ${network.Name}`);
    const { Warning } = checkMade(await client.post("/v1.41/networks/create", network), "answer");
    if (Warning) io.complain(Warning);
  }
  const there = new Map(
    (await servicesOf(client, name)).map((service) => [service.Spec.Name, service]),
  );
  for (const spec of stack.services) {
    await deployService(client, io, { spec, there: there.get(spec.Name), resolveImage });
  }
}

const checkMade = check.object({ Warning: check.optional(check.string(1 << 12)) });
const checkScope = check.object({ Scope: check.string(256) });

async function insistOnNetwork(client: AgentClient, name: string): Promise<void> {
  if (predefined.has(name)) return;
  const path = `/v1.41/networks/${encodeURIComponent(name)}`;
  const { status, body } = await client.ask("GET", path);
  if (status === 200) {
    const { Scope } = checkScope(body, "network");
    if (Scope === "swarm") return;
    const problem = `is declared as external, but it is not in the right scope: "${Scope}" instead of "swarm"`;
    throw new GamError("BAD_REQUEST", `network "${name}" ${problem}`);
  }
  if (status !== 404) return;
  const advice = `Create it with "docker network create --driver overlay ${name}", or remove "external"`;
  throw new GamError("NOT_FOUND", `Cannot find external network "${name}". ${advice}`);
}

interface DeployServiceOptions {
  readonly spec: ServiceSpec;
  /** The service that is already in the mesh. */
  readonly there: ServiceItem | undefined;
  readonly resolveImage: ResolveImage;
}

async function deployService(
  client: AgentClient,
  io: CommandIo,
  { spec, there, resolveImage }: DeployServiceOptions,
): Promise<void> {
  if (there === undefined) {
    const whole = resolveImage === "never" ? spec : await pinned(client, io, spec);
    io.print(`Creating service ${spec.Name}`);
    tellWarnings(io, await client.post("/v1.41/services/create", whole));
    return;
  }
  const { Spec: before } = there;
  const sameImage = before.Labels?.[imageLabel] === spec.Labels?.[imageLabel];
  const ask = resolveImage === "always" || (resolveImage === "changed" && !sameImage);
  const image = before.TaskTemplate.ContainerSpec?.Image;
  const next = ask
    ? await pinned(client, io, spec)
    : sameImage && image
      ? withImage(spec, image)
      : spec;
  io.print(`Updating service ${spec.Name} (id: ${there.ID})`);
  const path = `/v1.41/services/${there.ID}/update?version=${there.Version.Index}`;
  const answer = await client.post(path, {
    ...next,
    // Keep the count of forced updates: another value here would restart the tasks once more.
    TaskTemplate: { ...next.TaskTemplate, ForceUpdate: before.TaskTemplate.ForceUpdate ?? 0 },
  });
  tellWarnings(io, answer);
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

/** The spec with the digest of its image's tag, so that all nodes run the same image. */
async function pinned(client: AgentClient, io: CommandIo, spec: ServiceSpec): Promise<ServiceSpec> {
  const { Image: image } = spec.TaskTemplate.ContainerSpec;
  if (image.includes("@")) return spec;
  const { status, body } = await client.ask("GET", `/v1.41/distribution/${image}/json`);
  if (status !== 200) {
    io.complain(`No registry gave a digest for ${image}; nodes may run different versions of it`);
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

function withImage(spec: ServiceSpec, image: string): ServiceSpec {
  const { TaskTemplate: task } = spec;
  const container = { ...task.ContainerSpec, Image: image };
  return { ...spec, TaskTemplate: { ...task, ContainerSpec: container } };
}

async function removeService(
  client: AgentClient,
  io: CommandIo,
  service: ServiceItem,
): Promise<void> {
  io.print(`Removing service ${service.Spec.Name}`);
  await client.delete(`/v1.41/services/${service.ID}`);
}

/** Removes services first, since a network that a service uses cannot be removed. An empty stack is no error. */
export async function removeStack(client: AgentClient, io: CommandIo, name: string): Promise<void> {
  const services = await servicesOf(client, name);
  const networks = await networksOf(client, name);
  if (services.length + networks.length === 0) io.complain(`Nothing found in stack: ${name}`);
  for (const service of services) await removeService(client, io, service);
  for (const network of networks) {
    io.print(`Removing network ${network.Name}`);
    await client.delete(`/v1.41/networks/${network.Id}`);
  }
}
