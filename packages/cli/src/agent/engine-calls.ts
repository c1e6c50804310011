/** Engine calls: the parts of the Engine API's answers that stack commands read, and their checks. */

import { stackLabel } from "@gam/compose";
import { type Checked, check } from "@gam/core";
import type { AgentClient } from "./agent-client.ts";

const itemsMax = 100_000;
const labelsMax = 10_000;
const portsMax = 65_536;
const text = check.string(1 << 16);

const version = check.object({ Index: check.integer() });
const port = check.object({
  Protocol: check.optional(text),
  TargetPort: check.optional(check.integer()),
  PublishedPort: check.optional(check.integer()),
  PublishMode: check.optional(text),
});
export type PortItem = Checked<typeof port>;
const endpoint = check.object({ Ports: check.optional(check.list(port, portsMax)) });
const count = check.optional(check.integer());

export const checkService = check.object({
  ID: text,
  Version: version,
  Spec: check.object({
    Name: text,
    Labels: check.optional(check.map(text, labelsMax)),
    Mode: check.optional(
      check.object({
        Replicated: check.optional(check.object({ Replicas: count })),
        Global: check.optional(check.object({})),
        ReplicatedJob: check.optional(
          check.object({ MaxConcurrent: count, TotalCompletions: count }),
        ),
        GlobalJob: check.optional(check.object({})),
      }),
    ),
    UpdateConfig: check.optional(check.object({ Monitor: count })),
    EndpointSpec: check.optional(endpoint),
    TaskTemplate: check.object({
      ContainerSpec: check.optional(check.object({ Image: check.optional(text) })),
      Placement: check.optional(check.object({ MaxReplicas: count })),
      ForceUpdate: check.optional(check.integer()),
    }),
  }),
  Endpoint: check.optional(endpoint),
  UpdateStatus: check.optional(
    check.object({
      State: check.optional(text),
      StartedAt: check.optional(text),
      Message: check.optional(text),
    }),
  ),
  ServiceStatus: check.optional(
    check.object({ RunningTasks: count, DesiredTasks: count, CompletedTasks: count }),
  ),
  JobStatus: check.optional(
    check.object({ JobIteration: check.optional(check.object({ Index: count })) }),
  ),
});
export const checkServices = check.list(checkService, itemsMax);
export type ServiceItem = Checked<typeof checkService>;

const task = check.object({
  ID: text,
  ServiceID: text,
  NodeID: check.optional(text),
  Slot: check.optional(check.integer()),
  DesiredState: text,
  CreatedAt: check.optional(text),
  Status: check.object({
    Timestamp: text,
    State: text,
    Err: check.optional(text),
    PortStatus: check.optional(endpoint),
  }),
  JobIteration: check.optional(check.object({ Index: count })),
  Spec: check.object({
    ContainerSpec: check.optional(check.object({ Image: check.optional(text) })),
  }),
});
export const checkTasks = check.list(task, itemsMax);
export type TaskItem = Checked<typeof task>;

const node = check.object({
  ID: text,
  Description: check.object({ Hostname: text }),
  Status: check.optional(check.object({ State: check.optional(text) })),
});
export const checkNodes = check.list(node, itemsMax);
export type NodeItem = Checked<typeof node>;

const network = check.object({
  Id: text,
  Name: text,
  Scope: check.optional(text),
  Labels: check.optional(check.map(text, labelsMax)),
});
const checkNetworks = check.list(network, itemsMax);
export type NetworkItem = Checked<typeof network>;

const stored = check.object({
  ID: text,
  Version: version,
  Spec: check.object({ Name: text, Labels: check.optional(check.map(text, labelsMax)) }),
});
const checkObjects = check.list(stored, itemsMax);
/** A secret or a config. */
export type ObjectItem = Checked<typeof stored>;

/** Returns: the path that lists the objects that pass the filters, `{label: ["a=1"]}`. */
export function listPath(
  path: string,
  filters: Readonly<Record<string, readonly string[]>> = {},
): string {
  const known = Object.entries(filters).filter(([, values]) => values.length > 0);
  if (known.length === 0) return `${path}`;
  const wanted = known.map(([key, values]) => [
    key,
    Object.fromEntries(values.map((value) => [value, true])),
  ]);
  const text = JSON.stringify(Object.fromEntries(wanted));
  return `${path}${path.includes("?") ? "&" : "?"}filters=${encodeURIComponent(text)}`;
}

/** Errors: those of AgentClient; BAD_FRAME for an invalid answer. */
export async function objectsOf(
  client: AgentClient,
  kind: "secrets" | "configs",
  filters: Readonly<Record<string, readonly string[]>>,
): Promise<ObjectItem[]> {
  return checkObjects(await client.get(listPath(`/${kind}`, filters)), kind);
}

/** All networks. Errors: those of AgentClient; BAD_FRAME for an invalid answer. */
export async function allNetworks(client: AgentClient): Promise<NetworkItem[]> {
  return checkNetworks(await client.get(listPath("/networks")), "networks");
}

/** All services. Errors: those of AgentClient; BAD_FRAME for an invalid answer. */
export async function allServices(client: AgentClient): Promise<ServiceItem[]> {
  return checkServices(await client.get(listPath("/services")), "services");
}

/** Errors: those of AgentClient; BAD_FRAME for an invalid answer. */
export async function servicesOf(client: AgentClient, stack: string): Promise<ServiceItem[]> {
  return checkServices(
    await client.get(listPath("/services", { label: [`${stackLabel}=${stack}`] })),
    "services",
  );
}

/** Errors: those of AgentClient; BAD_FRAME for an invalid answer. */
export async function networksOf(
  client: AgentClient,
  stack: string,
): Promise<Checked<typeof checkNetworks>> {
  return checkNetworks(
    await client.get(listPath("/networks", { label: [`${stackLabel}=${stack}`] })),
    "networks",
  );
}
