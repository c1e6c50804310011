/**
 * Table rule: all that the store, snapshots and the checks of the log have to know of one kind of object.
 *
 * tables.ts has one for each table; everything that is about all objects works by these.
 */
import type { Check } from "@gam/core";
import type { ChangeOf, KindOf, Refusal, Rows, TableName } from "./change.ts";
import type { Occasion } from "./occasion.ts";
import type { Event, View } from "./view.ts";

type Fields = Readonly<Record<string, Check<unknown>>>;

/** What each change of an object may hold, field by field, without its kind. */
export type ChangeFields<Name extends TableName> = { readonly [Kind in KindOf<Name>]: Fields };

export interface TableRule<Name extends TableName> {
  /** By what the object is found in its table. */
  readonly idOf: (row: Rows[Name]) => string;
  /** The id of the object that the change is about, whether that object exists or not. */
  readonly idIn: (change: ChangeOf<Name>) => string;
  /** Why the whole proposal is refused; `undefined` when the change holds. */
  readonly refusal: (view: View, change: ChangeOf<Name>) => Refusal | undefined;
  /**
   * What the change makes of the object: `before` itself when the change is void, `undefined` when there is no
   * object afterwards.
   */
  readonly after: (
    before: Rows[Name] | undefined,
    change: ChangeOf<Name>,
    on: Occasion,
  ) => Rows[Name] | undefined;
  /** What the change moves besides, in order. Absent: nothing. */
  readonly others?: (
    before: Rows[Name] | undefined,
    change: ChangeOf<Name>,
    on: Occasion,
  ) => readonly Event[];
  readonly fields: ChangeFields<Name>;
  /** The whole object, as a snapshot of another peer may hold it. */
  readonly check: Check<Rows[Name]>;
  /** What the object has at least in a snapshot of this peer's own, whatever is in its parts. */
  readonly parts: Check<unknown>;
  /** Texts that no two objects of the table share: ids, names, addresses. */
  readonly keysOf: (row: Rows[Name]) => readonly string[];
}
