/**
 * Filters: which nodes are unsuitable for a group of equal tasks, and the message for it.
 *
 * The wording and the order are Swarm's, because people search for them. A node counts once, at the
 * first filter that it fails.
 */
import type { NetworkId, NodeId } from "@gam/core";
import {
  type Constraint,
  demandsEncryption,
  engineTooOld,
  type GenericResource,
  matchesPlatform,
  meetsConstraints,
  type Network,
  type Node,
  readConstraints,
  type Task,
  type TaskSpec,
  type View,
} from "@gam/state";
import type { Affinity } from "./affinity.ts";
import type { NodeResources, Reservation } from "./node-resources.ts";
import { sumOf } from "./pod.ts";
import type { Binding } from "./volume-binding.ts";

export interface Candidate {
  readonly resources: NodeResources;
  /** Wanted tasks of the service on the node. */
  ofService: number;
}

/** What a group of equal tasks needs from its nodes. */
export interface Wish {
  readonly reservation: Reservation;
  readonly replicasMax: number;
  /** `undefined` when they are unreadable: then no node meets them. */
  readonly constraints: readonly Constraint[] | undefined;
  readonly spec: TaskSpec;
  readonly platforms: NonNullable<Task["Spec"]["Placement"]>["Platforms"];
  readonly plugins: readonly { readonly type: string; readonly name: string }[];
  /** Networks of the cluster in which the tasks have addresses. */
  readonly networks: readonly Network[];
  readonly reaches: NetworkReach;
  /** Where the local volumes of the tasks are. Absent: they may go anywhere. */
  readonly binding: Binding | undefined;
  /** Rules about neighbours. Absent: none. */
  readonly affinity?: Affinity | undefined;
  /** What the tasks themselves reserve. `reservation` is for their whole pods. */
  readonly own: Reservation;
  /** What the other tasks of their pods need beside room. */
  readonly mates: readonly Mate[];
}

/** Another task of a pod, which has to run on the same node. */
export interface Mate {
  /** The name of its service. */
  readonly name: string;
  readonly reservation: Reservation;
  readonly wish: Wish;
}

/** Whether a node has a bridge in a network, or could get an address for one. */
export type NetworkReach = (node: NodeId, network: NetworkId) => boolean;

interface Around {
  readonly view: View;
  readonly reaches?: NetworkReach | undefined;
  readonly binding?: Binding | undefined;
  readonly affinity?: Affinity | undefined;
  /** The other tasks of its pod. */
  readonly mates?: readonly Mate[];
}

/** Returns: the needs of a task. They are the same for all tasks of one template. */
export function wishOf(
  task: Task,
  reservation: Reservation,
  { view, reaches = () => true, binding, affinity, mates = [] }: Around,
): Wish {
  const placement = task.Spec.Placement;
  return {
    reservation:
      mates.length === 0
        ? reservation
        : sumOf([reservation, ...mates.map((one) => one.reservation)]),
    own: reservation,
    mates,
    // A global task is made for one node and is the only one there.
    replicasMax: task.NodeID === undefined ? (placement?.MaxReplicas ?? 0) : 0,
    constraints: readConstraints(placement?.Constraints),
    spec: task.Spec,
    platforms: placement?.Platforms,
    plugins: pluginsOf(task, view),
    networks: task.Gam.attachments
      .map(({ network }) => view.network(network))
      .filter((network) => network !== undefined),
    reaches,
    binding,
    affinity,
  };
}

const noRoom: Reservation = { nanoCpus: 0, memoryBytes: 0, generic: [], ports: [] };

/** Returns: what another task of a pod needs. Its room is counted with that of the whole pod. */
export function mateWish(mate: Task, reservation: Reservation, around: Around): Mate {
  const wish = { ...wishOf(mate, noRoom, around), replicasMax: 0 };
  return { name: mate.Gam.serviceName, reservation, wish };
}

/** Drivers that every engine or gam itself has. */
const builtIn = new Set(["", "local", "none", "overlay", "bridge", "host", "null"]);

function pluginsOf(task: Task, view: View): Wish["plugins"] {
  const wanted = [
    ...(task.Spec.ContainerSpec.Mounts ?? [])
      .filter((mount) => mount.Type === "volume")
      .map((mount) => ["Volume", mount.VolumeOptions?.DriverConfig?.Name] as const),
    ...(task.Spec.Networks ?? []).map(
      ({ Target }) => ["Network", view.network(Target as NetworkId)?.Driver] as const,
    ),
    ["Log", task.Spec.LogDriver?.Name] as const,
  ];
  return wanted
    .map(([type, name]) => ({ type, name: name ?? "" }))
    .filter(({ name }) => !builtIn.has(name));
}

interface Filter {
  passes(candidate: Candidate, wish: Wish): boolean;
  /** `nodes`: how many nodes failed. `first` is one of them. */
  explain(nodes: number, first: Node, wish: Wish): string;
  /** Why this node fails it, with the values. Absent: explain() says all. */
  detail?(candidate: Candidate, wish: Wish): string;
}

const several = (nodes: number): string => (nodes === 1 ? "1 node" : `${nodes} nodes`);

const filters: readonly Filter[] = [
  // First, so that the reason to wait is the volume, and not each other host.
  {
    passes: ({ resources: { node } }, { binding }) => binding?.nodes.has(node.ID) ?? true,
    explain: (_nodes, _first, { binding }) => binding?.reason ?? "",
  },
  {
    passes: ({ resources: { node } }) =>
      node.Status.State === "ready" && node.Spec.Availability === "active",
    explain: (nodes) => `${several(nodes)} not available for new tasks`,
    detail: ({ resources: { node } }) => unavailable(node),
  },
  {
    passes: ({ resources }, { reservation }) => resources.hasResources(reservation),
    explain: (nodes) => `insufficient resources on ${several(nodes)}`,
    detail: ({ resources }, { reservation }) =>
      `insufficient resources: ${resources.shortages(reservation).join("; ")}`,
  },
  {
    passes: ({ resources: { node } }, { plugins }) => plugins.every((one) => hasPlugin(node, one)),
    explain: (nodes) => `missing plugin on ${several(nodes)}`,
    detail: ({ resources: { node } }, { plugins }) => {
      const missing = plugins.filter((one) => !hasPlugin(node, one));
      return `missing plugin: ${missing.map(({ type, name }) => `${type.toLowerCase()} "${name}"`).join(", ")}`;
    },
  },
  {
    passes: ({ resources: { node } }, { networks }) => {
      return networks.length === 0 || node.Gam.network?.problem === "";
    },
    explain: (nodes, { Gam }) => {
      const problem = Gam.network?.problem || "the node has not reported yet what it can do";
      return `networks across hosts not supported on ${several(nodes)}: ${problem}`;
    },
  },
  {
    passes: ({ resources: { node } }, { networks }) =>
      !networks.some(demandsEncryption) || (node.Gam.network?.encryption ?? "none") !== "none",
    explain: (nodes) => `encrypted networks not supported on ${several(nodes)}`,
    detail: (_, { networks }) =>
      `encrypted networks not supported: ${named(networks.filter(demandsEncryption))}`,
  },
  {
    passes: ({ resources: { node } }, { networks, reaches }) =>
      networks.every(({ Id }) => reaches(node.ID, Id)),
    explain: (nodes) => `insufficient network addresses on ${several(nodes)}`,
    detail: ({ resources: { node } }, { networks, reaches }) =>
      `insufficient network addresses: ${named(networks.filter(({ Id }) => !reaches(node.ID, Id)))}`,
  },
  {
    passes: ({ resources: { node } }, { constraints }) => meetsConstraints(constraints, node),
    explain: (nodes) => `scheduling constraints not satisfied on ${several(nodes)}`,
    detail: ({ resources: { node } }, { constraints }) => {
      if (constraints === undefined) return "scheduling constraints cannot be read";
      const unmet = constraints.filter((one) => !meetsConstraints([one], node));
      const shown = unmet.map(({ key, operator, value }) => `${key} ${operator} ${value}`);
      return `scheduling constraints not satisfied: ${shown.join(", ")}`;
    },
  },
  {
    passes: ({ resources: { node } }, { affinity }) => affinity?.breach(node) === undefined,
    explain: (nodes, node, { affinity }) => {
      return `${affinity?.breach(node) ?? "affinity"} not satisfied on ${several(nodes)}`;
    },
  },
  {
    passes: ({ resources: { node } }, { platforms }) => matchesPlatform(platforms, node),
    explain: (nodes) => `unsupported platform on ${several(nodes)}`,
    detail: ({ resources: { node } }, { platforms = [] }) => {
      const { OS, Architecture } = node.Description.Platform;
      const wanted = platforms.map((one) => `${one.OS || "any"}/${one.Architecture || "any"}`);
      return `unsupported platform: ${OS}/${Architecture}, the image is for ${wanted.join(", ")}`;
    },
  },
  {
    passes: ({ resources: { node } }, { spec }) => engineTooOld(spec, node) === undefined,
    explain: (nodes, node, { spec }) =>
      `engine too old on ${several(nodes)}: ${engineTooOld(spec, node)}`,
    detail: ({ resources: { node } }, { spec }) => `engine too old: ${engineTooOld(spec, node)}`,
  },
  {
    passes: ({ resources }, { reservation }) => resources.hasPorts(reservation),
    explain: (nodes) => `host-mode port already in use on ${several(nodes)}`,
    detail: ({ resources }, { reservation }) =>
      `host-mode port already in use: ${resources.takenPorts(reservation).join(", ")}`,
  },
  {
    passes: ({ ofService }, { replicasMax }) => replicasMax === 0 || ofService < replicasMax,
    explain: () => "max replicas per node limit exceed",
    detail: ({ ofService }, { replicasMax }) =>
      `max replicas per node limit exceed: ${ofService} run here, the limit is ${replicasMax}`,
  },
];

function unavailable({ Status, Spec }: Node): string {
  if (Status.State === "ready")
    return `not available for new tasks: it is set to ${Spec.Availability}`;
  const reason = Status.Message ? `: ${Status.Message}` : "";
  return `not available for new tasks: it is ${Status.State}${reason}`;
}

function named(networks: readonly Network[]): string {
  return networks.map(({ Name }) => `"${Name}"`).join(", ");
}

function hasPlugin(node: Node, wanted: { type: string; name: string }): boolean {
  const ofType = node.Description.Engine.Plugins.filter(({ Type }) => Type === wanted.type);
  // An engine that lists no plugin of a type does not report that type.
  if (ofType.length === 0) return true;
  return ofType.some(({ Name }) => Name === wanted.name || Name === `${wanted.name}:latest`);
}

/** Whether the node still has enough of what placing uses up: resources, ports, replicas. */
export function stillFits(candidate: Candidate, { reservation, replicasMax }: Wish): boolean {
  return (
    candidate.resources.hasResources(reservation) &&
    candidate.resources.hasPorts(reservation) &&
    (replicasMax === 0 || candidate.ofService < replicasMax)
  );
}

/** Takes what a placed task needs, and keeps room for the rest of its pod. Returns: the generic resources that it gets. */
export function takeRoom(resources: NodeResources, wish: Wish): readonly GenericResource[] {
  const generic = resources.take(wish.own);
  for (const { reservation } of wish.mates) resources.keep(reservation);
  return generic;
}

/** Returns: the suitable nodes. */
export function fitting(candidates: readonly Candidate[], wish: Wish): Candidate[] {
  const all = [wish, ...wish.mates.map((mate) => mate.wish)];
  return candidates.filter((one) => {
    return all.every((each) => filters.every((filter) => filter.passes(one, each)));
  });
}

/** A filter, for the task or for another one of its pod. */
interface Demand {
  readonly filter: Filter;
  readonly wish: Wish;
  /** Names the other task's service; "" for the task itself. */
  readonly whose: string;
}

function demandsOf(wish: Wish): Demand[] {
  return [
    ...filters.map((filter) => ({ filter, wish, whose: "" })),
    ...wish.mates.flatMap((mate) => {
      return filters.map((filter) => ({ filter, wish: mate.wish, whose: `${mate.name}: ` }));
    }),
  ];
}

/** Returns: why no node is suitable: `no suitable node (...)`, beginning with the filter that most nodes fail. */
export function explain(candidates: readonly Candidate[], wish: Wish): string {
  const counts = demandsOf(wish).map((demand) => ({ demand, nodes: [] as Node[] }));
  for (const candidate of candidates) {
    const failed = counts.find(({ demand }) => !demand.filter.passes(candidate, demand.wish));
    if (failed !== undefined) failed.nodes.push(candidate.resources.node);
  }
  const parts = counts
    .sort((a, b) => b.nodes.length - a.nodes.length)
    .flatMap(({ demand: { filter, wish: asked, whose }, nodes: [first, ...more] }) => {
      return first === undefined ? [] : [whose + filter.explain(1 + more.length, first, asked)];
    });
  return parts.length === 0 ? "no suitable node" : `no suitable node (${parts.join("; ")})`;
}

/** Returns: what the filters say that one node fails, each in its own words; empty for a suitable node. */
export function obstaclesOf(candidate: Candidate, wish: Wish): string[] {
  const said = new Set<string>();
  return demandsOf(wish)
    .filter(({ filter, wish: asked }) => !filter.passes(candidate, asked))
    .flatMap(({ filter, wish: asked, whose }) => {
      const { node } = candidate.resources;
      const text =
        filter.detail?.(candidate, asked) ??
        filter.explain(1, node, asked).replace(/ on 1 node\b/, "");
      // What the node lacks for all of a pod is said once.
      if (said.has(text)) return [];
      said.add(text);
      return [whose + text];
    });
}
