/** Any cluster: generates small clusters of every kind, for property tests of plans. */
import type { NodeId } from "@gam/core";
import type { TaskState } from "@gam/state";
import fc from "fast-check";
import type { NodePlan } from "../plan/node-plan.ts";
import { planNode } from "../plan/plan-node.ts";
import { oddView } from "./odd-view.ts";
import { TestCluster, withRollout } from "./test-cluster.ts";

const names = ["a", "b", "c"];
const networks = ["ingress", "front", "back", "inner", "sealed"];
const services = ["web", "api", "db"];
const states: readonly TaskState[] = ["assigned", "starting", "running", "running", "complete"];

const wish = fc.record({
  encryption: fc.array(fc.constantFrom("kernel" as const, "userspace" as const, "none" as const), {
    minLength: names.length,
    maxLength: names.length,
  }),
  down: fc.subarray(names),
  /** Whether there is an ingress network for published ports. */
  ingress: fc.boolean(),
  /** Nodes with a bridge in the network "back". */
  back: fc.subarray(names),
  services: fc.array(
    fc.record({
      networks: fc.subarray(networks.slice(1)),
      ports: fc.subarray(["tcp", "udp", "sctp"] as const),
      affinity: fc.boolean(),
      /** Percent of a new version; undefined: there is no rollout. */
      weight: fc.option(fc.integer({ min: 0, max: 100 }), { nil: undefined }),
      tasks: fc.array(
        fc.record({
          node: fc.constantFrom(...names),
          state: fc.constantFrom(...states),
          templateVersion: fc.constantFrom(1, 2),
        }),
        { maxLength: 5 },
      ),
    }),
    { minLength: services.length, maxLength: services.length },
  ),
  containers: fc.array(
    fc.record({ network: fc.constantFrom(...networks.slice(1)), node: fc.constantFrom(...names) }),
    { maxLength: 3 },
  ),
});

/** The plans of all nodes of one cluster. The encrypted network leaves out nodes that cannot encrypt. */
export const anyPlans: fc.Arbitrary<readonly NodePlan[]> = wish.map((wished) => {
  const cluster = new TestCluster();
  const able = names.filter((_, index) => wished.encryption[index] !== "none");
  for (const [index, name] of names.entries()) {
    const network = { encryption: wished.encryption[index] ?? "none" };
    cluster.node(name, { network, state: wished.down.includes(name) ? "down" : "ready" });
  }
  if (wished.ingress) cluster.network("ingress", { Ingress: true });
  cluster.network("front");
  cluster.network("back", { nodes: wished.back });
  cluster.network("inner", { Internal: true });
  if (able.length > 0) cluster.network("sealed", { Options: { encrypted: "" }, nodes: able });
  const takes = (node: string, network: string): boolean => {
    if (network === "back") return wished.back.includes(node);
    return network !== "sealed" || able.includes(node);
  };
  for (const [index, one] of wished.services.entries()) {
    const name = services[index] ?? "";
    const ports = one.ports.map((Protocol) => ({
      Protocol,
      PublishedPort: 8000 + index,
      TargetPort: 80,
    }));
    const labels: Record<string, string> = one.affinity ? { "gam.sticky": "client" } : {};
    const joined = one.networks.filter((network) => network !== "sealed" || able.length > 0);
    cluster.service(name, { networks: joined, ports, labels });
    for (const [number, { node, state, templateVersion }] of one.tasks.entries()) {
      if (!joined.every((network) => takes(node, network))) continue;
      const extra = { templateVersion };
      cluster.task(name, `${name}${number}`, { node, state, slot: number + 1, extra });
    }
  }
  for (const [index, { network, node }] of wished.containers.entries()) {
    if (takes(node, network)) cluster.container(network, node, `tool${index}`);
  }
  const rolling = cluster.view.services().map((service) => {
    const { weight } = wished.services[services.indexOf(service.Spec.Name)] ?? {};
    return weight === undefined ? service : withRollout(service, { version: 2, weight });
  });
  const view = oddView(cluster.view, { services: rolling });
  return names.flatMap((name) => planNode(view, name as NodeId) ?? []);
});
