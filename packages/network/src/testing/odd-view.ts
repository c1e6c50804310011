/** Odd view: makes states with invalid values, for tests of the plans made from them. */
import type { Network, Node, Service, Task, View } from "@gam/state";
import fc from "fast-check";
import { keyOf, TestCluster, withRollout } from "./test-cluster.ts";

export interface OddRows {
  readonly cluster?: View["cluster"];
  readonly nodes?: readonly Node[];
  readonly services?: readonly Service[];
  readonly tasks?: readonly Task[];
  readonly networks?: readonly Network[];
}

/** `view` with these rows in place of its own. */
export function oddView(view: View, rows: OddRows): View {
  const nodes = rows.nodes ?? view.nodes();
  const services = rows.services ?? view.services();
  const tasks = rows.tasks ?? view.tasks();
  const networks = rows.networks ?? view.networks();
  return {
    ...view,
    index: view.index,
    dialect: view.dialect,
    cluster: "cluster" in rows ? rows.cluster : view.cluster,
    nodes: () => nodes,
    node: (id) => nodes.find(({ ID }) => ID === id),
    services: () => services,
    service: (id) => services.find(({ ID }) => ID === id),
    tasks: () => tasks,
    task: (id) => tasks.find(({ ID }) => ID === id),
    tasksOf: (id) => tasks.filter(({ ServiceID }) => ServiceID === id),
    tasksOn: (id) => tasks.filter(({ NodeID }) => NodeID === id),
    tasksWaiting: () => [],
    networks: () => networks,
    network: (id) => networks.find(({ Id }) => Id === id),
    isRemoved: () => false,
  };
}

/**
 * A copy of `value` in which `odd` may replace each text and number. `undefined` keeps the old one. Keys and
 * structure stay the same.
 */
function withOddities<T>(value: T, odd: (found: string | number) => unknown): T {
  const walk = (one: unknown): unknown => {
    if (typeof one === "string" || typeof one === "number") return odd(one) ?? one;
    if (Array.isArray(one)) return one.map(walk);
    if (typeof one !== "object" || one === null) return one;
    return Object.fromEntries(Object.entries(one).map(([key, field]) => [key, walk(field)]));
  };
  return walk(value) as T;
}

/** Three nodes that encrypt; two services with published ports, of which two versions run, one of them with affinity; a plain container. */
export function evenView(): View {
  const cluster = new TestCluster();
  for (const name of ["a", "b", "c"]) cluster.node(name, { network: { encryption: "kernel" } });
  cluster.network("ingress", { Ingress: true });
  cluster.network("front");
  cluster.network("inner", { Internal: true });
  cluster.network("sealed", {
    Options: { encrypted: "", "com.docker.network.driver.mtu": "1300" },
  });
  const networks = ["front", "inner", "sealed"];
  const ports = [{ Protocol: "udp", PublishedPort: 8001, TargetPort: 53 }] as const;
  cluster.service("web", { networks, ports, labels: { "gam.sticky": "client" } });
  cluster.service("api", { networks, ports: [{ PublishedPort: 8002, TargetPort: 80 }] });
  for (const [n, node] of ["a", "b", "a", "c"].entries()) {
    const extra = { templateVersion: n };
    cluster.task(n % 2 === 0 ? "web" : "api", `t${n}`, { node, slot: n, extra });
    cluster.task("web", `w${n}`, { node, slot: n, extra });
  }
  cluster.container("front", "a", "tool", ["spade"]);
  const services = cluster.view
    .services()
    .map((one) => withRollout(one, { version: 3, weight: 10 }));
  return oddView(cluster.view, { services });
}

const texts = [
  "",
  " ",
  "{",
  "} flush ruleset",
  "x { drop }",
  "a\nflush ruleset",
  '"',
  "'",
  "#",
  "\\",
  ";",
  "drop; accept",
  "$(reboot)",
  "@members",
  "-batch",
  "\u0000",
  "…",
  "0",
  "010.0.0.1",
  "10.1.0.0/33",
  "10.1.0.0/016",
  "10.300.0.1",
  "0.0.0.0",
  "0.0.0.0/0",
  "127.0.0.1",
  "224.0.0.1",
  "255.255.255.255",
  "198.18.0.9",
  "192.0.2.1",
  "::1",
  "fe80::1%eth0",
  "1:::2",
  "::ffff:1.2.3.4",
  "[2001:db8::1]:7946",
  "[1:2]:7946",
  "10.0.0.1:99999",
  "10.0.0.1:-1",
  keyOf("a"),
  `${keyOf("b")}=`,
  "A".repeat(44),
  "x".repeat(5000),
  "icmp",
  "tcp; drop",
];
const numbers = [0, -1, 0.5, 1e-7, 1e21, 2 ** 24, 2 ** 32, 65_536, 70_000, 67, 4789, 51_820, 7946];
const oddNumbers = [...numbers, Number.NaN, Number.POSITIVE_INFINITY];

/** States in which about one leaf in `often` is replaced. */
export const oddViews = fc
  .record({ seed: fc.integer({ min: 1 }), often: fc.constantFrom(4, 12, 60, 300) })
  .map(({ seed, often }) => {
    let word = seed;
    const below = (bound: number): number => {
      word ^= word << 13;
      word ^= word >>> 17;
      word ^= word << 5;
      return (word >>> 0) % bound;
    };
    const odd = (found: string | number): unknown => {
      if (below(often) !== 0) return undefined;
      const list = typeof found === "string" ? texts : oddNumbers;
      return list[below(list.length)];
    };
    const view = evenView();
    const rows: OddRows = {
      cluster: withOddities(view.cluster, odd),
      nodes: view.nodes().map((row) => withOddities(row, odd)),
      services: view.services().map((row) => withOddities(row, odd)),
      tasks: view.tasks().map((row) => withOddities(row, odd)),
      networks: view.networks().map((row) => withOddities(row, odd)),
    };
    return oddView(view, rows);
  });
