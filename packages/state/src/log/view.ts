import type { NodeId, ServiceId } from "@gam/core";
import type { Cluster } from "../objects/cluster.ts";
import type { Task } from "../objects/task.ts";
import type { Rows, TableName } from "./change.ts";

/** Tables of any number of objects. There is one cluster at most. */
type Lists = Omit<Rows, "cluster">;

type IdOf<Row> = Row extends { readonly Id: infer Id }
  ? Id
  : Row extends { readonly ID: infer Id }
    ? Id
    : never;

/** For each table all its objects, and the one with an id: `nodes()` and `node(id)`. */
export type Readers = {
  readonly [Name in keyof Lists as `${Name}s`]: () => readonly Lists[Name][];
} & {
  readonly [Name in keyof Lists]: (id: IdOf<Lists[Name]>) => Lists[Name] | undefined;
};

/**
 * The replicated state, to read. Objects are never changed in place: whoever holds one holds it as it
 * was. Lists are in the order of creation, which the log decided, except `tasksOn`: by id.
 */
export interface View extends Readers {
  /** Raft index of the last applied entry. */
  readonly index: number;
  /** The highest dialect that a change which was applied has needed. Every member speaks it. */
  readonly dialect: number;
  readonly cluster: Cluster | undefined;
  tasksOf(id: ServiceId): readonly Task[];
  tasksOn(id: NodeId): readonly Task[];
  /** Those that wait for a node: isWaiting(). */
  tasksWaiting(): readonly Task[];
  /** Peers that were removed and may not return without a token. */
  isRemoved(id: NodeId): boolean;
}

/** Something moved: look again. `before` is absent when it is new, `after` when it is gone. */
export type Event = {
  [Name in TableName]: {
    readonly table: Name;
    readonly before?: Rows[Name];
    readonly after?: Rows[Name];
  };
}[TableName];
