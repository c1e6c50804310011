import type { NodeId, ServiceId } from "@gam/core";
import type { Cluster } from "../objects/cluster.ts";
import type { Happening } from "../objects/happening.ts";
import type { Task } from "../objects/task.ts";
import type { Rows, TableName } from "./change.ts";

/** All tables except the cluster's, which holds at most one object. */
type Lists = Omit<Rows, "cluster">;

type IdOf<Row> = Row extends { readonly Id: infer Id }
  ? Id
  : Row extends { readonly ID: infer Id }
    ? Id
    : never;

/** For each table: all its objects, and one by id: `nodes()` and `node(id)`. */
export type Readers = {
  readonly [Name in keyof Lists as `${Name}s`]: () => readonly Lists[Name][];
} & {
  readonly [Name in keyof Lists]: (id: IdOf<Lists[Name]>) => Lists[Name] | undefined;
};

/**
 * The replicated state, for readers. Objects never change in place, so a reader's object stays as it was. Lists
 * are in the order of creation, as in the log, except `tasksOn`: by id.
 */
export interface View extends Readers {
  /** Raft index of the last applied entry. */
  readonly index: number;
  /** The highest dialect that an applied change has needed. Every member speaks it. */
  readonly dialect: number;
  readonly cluster: Cluster | undefined;
  tasksOf(id: ServiceId): readonly Task[];
  tasksOn(id: NodeId): readonly Task[];
  /** Tasks that wait for a node: isWaiting(). */
  tasksWaiting(): readonly Task[];
  /** The last events of the cluster, oldest first: what "docker events" shows. */
  happenings(): readonly Happening[];
  /** Peers that were removed and may not return without a token. */
  isRemoved(id: NodeId): boolean;
}

/** One object changed. `before` is absent for a new object, `after` for a removed one. */
export type Event = {
  [Name in TableName]: {
    readonly table: Name;
    readonly before?: Rows[Name];
    readonly after?: Rows[Name];
  };
}[TableName];
