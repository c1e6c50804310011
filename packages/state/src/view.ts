import type { NetworkId, NodeId, ServiceId, TaskId } from "@gam/core";
import type { Cluster } from "./cluster.ts";
import type { Network } from "./network.ts";
import type { Node } from "./node.ts";
import type { Service } from "./service.ts";
import type { Task } from "./task.ts";

/**
 * The replicated state, to read. Objects are never changed in place: whoever holds one holds it as it
 * was. Lists are in the order of creation, which the log decided, except `tasksOn`: by id.
 */
export interface View {
  /** Raft index of the last applied entry. */
  readonly index: number;
  /** The highest dialect that a change which was applied has needed. Every member speaks it. */
  readonly dialect: number;
  readonly cluster: Cluster | undefined;
  nodes(): readonly Node[];
  node(id: NodeId): Node | undefined;
  services(): readonly Service[];
  service(id: ServiceId): Service | undefined;
  tasks(): readonly Task[];
  task(id: TaskId): Task | undefined;
  tasksOf(id: ServiceId): readonly Task[];
  tasksOn(id: NodeId): readonly Task[];
  /** Those that wait for a node: isWaiting(). */
  tasksWaiting(): readonly Task[];
  networks(): readonly Network[];
  network(id: NetworkId): Network | undefined;
  /** Peers that were removed and may not return without a token. */
  isRemoved(id: NodeId): boolean;
}

/** Something moved: look again. `before` is absent when it is new, `after` when it is gone. */
export type Event =
  | { readonly table: "cluster"; readonly before?: Cluster; readonly after?: Cluster }
  | { readonly table: "node"; readonly before?: Node; readonly after?: Node }
  | { readonly table: "service"; readonly before?: Service; readonly after?: Service }
  | { readonly table: "task"; readonly before?: Task; readonly after?: Task }
  | { readonly table: "network"; readonly before?: Network; readonly after?: Network };
