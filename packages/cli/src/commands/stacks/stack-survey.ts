/**
 * Stack survey: what the cluster has of a stack and around it, and what stands in the way of the stack's files.
 *
 * Only reads. So all mistakes are told together, with file, line and column, and nothing is left behind.
 */
import { type Problem, type Stack, type StackService, stackLabel } from "@gam/compose";
import { type Policy, policyProblem, powersOf, type ServiceSpec } from "@gam/state";
import { checkPolicy } from "@gam/state/answers";
import type { AgentClient } from "../../agent/agent-client.ts";
import {
  allNetworks,
  allServices,
  type NetworkItem,
  type ObjectItem,
  objectsOf,
  type PortItem,
  type ServiceItem,
} from "../../agent/engine-calls.ts";

export interface Survey {
  /** All services of the cluster. */
  readonly services: readonly ServiceItem[];
  readonly networks: readonly NetworkItem[];
  /** Those that the stack names. */
  readonly secrets: readonly ObjectItem[];
  readonly configs: readonly ObjectItem[];
  /** Asked only for a stack with power over its hosts. */
  readonly policy?: Policy;
}

/** Errors: those of AgentClient. */
export async function surveyStack(client: AgentClient, stack: Stack): Promise<Survey> {
  const named = (kind: "secrets" | "configs"): Promise<ObjectItem[]> | ObjectItem[] => {
    const created = stack[kind].map(({ body }) => body.Name);
    const used = stack.services.flatMap((service) => service[kind].map(({ name }) => name));
    const names = [...new Set([...created, ...used])];
    return names.length === 0 ? [] : objectsOf(client, kind, { name: names });
  };
  const asks = stack.services.some(({ spec }) => powersOf(specOf(spec)).length > 0);
  return {
    ...(asks && { policy: policyOf(await client.get("/gam/v1/policy")) }),
    services: await allServices(client),
    networks: await allNetworks(client),
    secrets: await named("secrets"),
    configs: await named("configs"),
  };
}

function policyOf(answer: unknown): Policy {
  const { powers } = checkPolicy(answer, "policy");
  return Object.fromEntries(powers.map(({ power, services }) => [power, services])) as Policy;
}

/** The empty order of an update, as the docker client sends it, means the default. */
function specOf(body: StackService["spec"]): ServiceSpec {
  const { UpdateConfig: _, RollbackConfig: __, ...spec } = body;
  return spec;
}

function forbiddenPowers({ policy }: Survey, stack: Stack): Problem[] {
  return stack.services.flatMap(({ at, spec }): Problem[] => {
    const message = policy && policyProblem(policy, specOf(spec));
    return message === undefined ? [] : [{ at, message }];
  });
}

/** Networks that every engine has. */
const predefined = new Set(["bridge", "host", "none"]);

export interface ObstacleOptions {
  readonly name: string;
  readonly stack: Stack;
  /** Whether services of the stack that are not in its files will be removed. */
  readonly prune: boolean;
}

/** Returns: what the cluster would refuse of the stack. */
export function obstacles(survey: Survey, { name, stack, prune }: ObstacleOptions): Problem[] {
  const own = (labels: Readonly<Record<string, string>> | undefined): boolean =>
    labels?.[stackLabel] === name;
  return [
    ...externalNetworks(survey, stack),
    ...takenNetworks(survey, stack, own),
    ...missingObjects(survey, stack),
    ...takenNames(survey, stack, own),
    ...takenPorts(survey, { name, stack, prune }),
    ...forbiddenPowers(survey, stack),
  ];
}

type IsOwn = (labels: Readonly<Record<string, string>> | undefined) => boolean;

function externalNetworks({ networks }: Survey, stack: Stack): Problem[] {
  return stack.externalNetworks.flatMap(({ name, at }): Problem[] => {
    if (predefined.has(name)) return [];
    const found = networks.filter((network) => network.Name === name || network.Id === name);
    if (found.some(({ Scope }) => Scope === "swarm")) return [];
    const [local] = found;
    if (local !== undefined) {
      const problem = `is declared as external, but it is not in the right scope: "${local.Scope ?? ""}" instead of "swarm"`;
      return [{ at, message: `network "${name}" ${problem}` }];
    }
    const advice = `create it with "docker network create --driver overlay ${name}", or remove "external"`;
    return [{ at, message: `external network "${name}" does not exist: ${advice}` }];
  });
}

function takenNetworks({ networks }: Survey, stack: Stack, own: IsOwn): Problem[] {
  return stack.networks.flatMap(({ at, body }): Problem[] => {
    const found = networks.find(({ Name, Scope }) => Name === body.Name && Scope === "swarm");
    if (found === undefined || own(found.Labels)) return [];
    const message = `network "${body.Name}" exists and is not of this stack: write "external: true", or another name`;
    return [{ at, message }];
  });
}

function missingObjects(survey: Survey, stack: Stack): Problem[] {
  const problems: Problem[] = [];
  for (const kind of ["secrets", "configs"] as const) {
    const known = new Set(survey[kind].map(({ Spec }) => Spec.Name));
    const word = kind === "secrets" ? "secret" : "config";
    for (const { at, isExternal, name } of stack.services.flatMap((service) => service[kind])) {
      if (!isExternal || known.has(name)) continue;
      const message = `external ${word} "${name}" does not exist: create it with "docker ${word} create ${name} FILE"`;
      problems.push({ at, message });
    }
  }
  return problems;
}

function takenNames({ services }: Survey, stack: Stack, own: IsOwn): Problem[] {
  return stack.services.flatMap(({ at, spec }): Problem[] => {
    const found = services.find(({ Spec }) => Spec.Name === spec.Name);
    if (found === undefined) return [];
    if (own(found.Spec.Labels)) return changedMode(found, spec, at);
    const message = `service "${spec.Name}" exists and is not of this stack: remove it with "docker service rm ${spec.Name}", or rename this one`;
    return [{ at, message }];
  });
}

function changedMode(
  { Spec }: ServiceItem,
  { Name, Mode }: StackService["spec"],
  at: Problem["at"],
): Problem[] {
  const kinds = ["Replicated", "Global", "ReplicatedJob", "GlobalJob"] as const;
  const before = kinds.find((kind) => Spec.Mode?.[kind] !== undefined);
  const after = kinds.find((kind) => Mode[kind] !== undefined);
  if (before === undefined || before === after) return [];
  const message = `service "${Name}" is ${before} and cannot become ${after}: remove it first, with "docker service rm ${Name}"`;
  return [{ at, message }];
}

/** Ports that services keep which this stack neither changes nor removes. */
function takenPorts({ services }: Survey, { name, stack, prune }: ObstacleOptions): Problem[] {
  const changed = new Set(stack.services.map(({ spec }) => spec.Name));
  const others = services.filter(({ Spec }) => {
    const isOwn = Spec.Labels?.[stackLabel] === name;
    return !changed.has(Spec.Name) && !(isOwn && prune);
  });
  return stack.services.flatMap(({ at, spec }) =>
    (spec.EndpointSpec?.Ports ?? []).flatMap((port): Problem[] => {
      const holder = others.find((service) => heldBy(service).some((held) => collide(held, port)));
      if (holder === undefined) return [];
      const key = `${port.PublishedPort}/${port.Protocol ?? "tcp"}`;
      const message = `port ${key} is already in use by service "${holder.Spec.Name}": publish another one`;
      return [{ at, message }];
    }),
  );
}

function heldBy({ Endpoint, Spec }: ServiceItem): readonly PortItem[] {
  return [...(Endpoint?.Ports ?? []), ...(Spec.EndpointSpec?.Ports ?? [])];
}

/** Two services may bind the same port of hosts: placement keeps them apart. */
function collide(held: Partial<PortItem>, asked: Partial<PortItem>): boolean {
  return (
    Boolean(asked.PublishedPort) &&
    held.PublishedPort === asked.PublishedPort &&
    (held.Protocol ?? "tcp") === (asked.Protocol ?? "tcp") &&
    (held.PublishMode !== "host" || asked.PublishMode !== "host")
  );
}
