/** Engine calls: the parts of the Engine API's answers that stack commands read, and their checks. */

import { stackLabel } from "@gam/compose";
import { type Checked, check } from "@gam/core";
import type { AgentClient } from "./agent-client.ts";

const itemsMax = 100_000;
const labelsMax = 10_000;
const text = check.string(1 << 16);

const service = check.object({
  ID: text,
  Version: check.object({ Index: check.integer() }),
  Spec: check.object({
    Name: text,
    Labels: check.optional(check.map(text, labelsMax)),
    TaskTemplate: check.object({
      ContainerSpec: check.optional(check.object({ Image: check.optional(text) })),
      ForceUpdate: check.optional(check.integer()),
    }),
  }),
});
export const checkServices = check.list(service, itemsMax);
export type ServiceItem = Checked<typeof service>;

const task = check.object({
  ID: text,
  ServiceID: text,
  NodeID: check.optional(text),
  Slot: check.optional(check.integer()),
  DesiredState: text,
  Status: check.object({ Timestamp: text, State: text, Err: check.optional(text) }),
  Spec: check.object({
    ContainerSpec: check.optional(check.object({ Image: check.optional(text) })),
  }),
});
export const checkTasks = check.list(task, itemsMax);
export type TaskItem = Checked<typeof task>;

const node = check.object({ ID: text, Description: check.object({ Hostname: text }) });
export const checkNodes = check.list(node, itemsMax);
export type NodeItem = Checked<typeof node>;

const network = check.object({ Id: text, Name: text });
const checkNetworks = check.list(network, itemsMax);

/** Returns: the path that lists the objects with the label, `key` or `key=value`. */
export function withFilters(path: string, label: string): string {
  const filters = JSON.stringify({ label: { [label]: true } });
  return `/v1.41${path}?filters=${encodeURIComponent(filters)}`;
}

/** Errors: those of AgentClient; BAD_FRAME for an invalid answer. */
export async function servicesOf(client: AgentClient, stack: string): Promise<ServiceItem[]> {
  return checkServices(
    await client.get(withFilters("/services", `${stackLabel}=${stack}`)),
    "services",
  );
}

/** Errors: those of AgentClient; BAD_FRAME for an invalid answer. */
export async function networksOf(
  client: AgentClient,
  stack: string,
): Promise<Checked<typeof checkNetworks>> {
  return checkNetworks(
    await client.get(withFilters("/networks", `${stackLabel}=${stack}`)),
    "networks",
  );
}
