/** Odd view: a state in which somebody has put other values, for tests of what is made of it. */
import type { Network, Node, Service, Task, View } from "@gam/state";

export interface Rows {
  readonly cluster?: View["cluster"];
  readonly nodes?: readonly Node[];
  readonly services?: readonly Service[];
  readonly tasks?: readonly Task[];
  readonly networks?: readonly Network[];
}

/** `view` with these rows in place of its own. */
export function oddView(view: View, rows: Rows): View {
  const nodes = rows.nodes ?? view.nodes();
  const services = rows.services ?? view.services();
  const tasks = rows.tasks ?? view.tasks();
  const networks = rows.networks ?? view.networks();
  return {
    index: view.index,
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
 * A copy of `value` in which texts and numbers have become others, each of those that `odd` gives something for.
 * What the value is made of, and what it calls itself by, stays.
 */
export function withOddities<T>(value: T, odd: (found: string | number) => unknown): T {
  const walk = (one: unknown): unknown => {
    if (typeof one === "string" || typeof one === "number") return odd(one) ?? one;
    if (Array.isArray(one)) return one.map(walk);
    if (typeof one !== "object" || one === null) return one;
    return Object.fromEntries(Object.entries(one).map(([key, field]) => [key, walk(field)]));
  };
  return walk(value) as T;
}
