/**
 * Table rule: all that the store, snapshots and the checks of the log need to know of one kind of object.
 *
 * tables.ts has one for each table; all code that is not specific to one kind of object works by these rules.
 */
import type { Check } from "@gam/core";
import type { ChangeOf, KindOf, Refusal, Rows, TableName } from "./change.ts";
import type { Occasion } from "./occasion.ts";
import type { Event, View } from "./view.ts";

type Fields = Readonly<Record<string, Check<unknown>>>;

/** What each change of an object may hold, field by field, without `kind`. */
export type ChangeFields<Name extends TableName> = { readonly [Kind in KindOf<Name>]: Fields };

export interface TableRule<Name extends TableName> {
  /** The object's key in its table. */
  readonly idOf: (row: Rows[Name]) => string;
  /** The id of the object that the change is about, whether that object exists or not. */
  readonly idIn: (change: ChangeOf<Name>) => string;
  /** Why the whole proposal is refused; `undefined` when the change is valid. */
  readonly refusal: (view: View, change: ChangeOf<Name>) => Refusal | undefined;
  /**
   * The object after the change: `before` itself when the change is void, `undefined` when the object is
   * removed.
   */
  readonly after: (
    before: Rows[Name] | undefined,
    change: ChangeOf<Name>,
    on: Occasion,
  ) => Rows[Name] | undefined;
  /** What else the change modifies, in order. Absent: nothing. */
  readonly others?: (
    before: Rows[Name] | undefined,
    change: ChangeOf<Name>,
    on: Occasion,
  ) => readonly Event[];
  readonly fields: ChangeFields<Name>;
  /** The whole object, as another peer's snapshot may hold it. */
  readonly check: Check<Rows[Name]>;
  /** The parts that the object must have in this peer's own snapshot, whatever they contain. */
  readonly parts: Check<unknown>;
  /** Keys that no two objects of the table may share: ids, names, addresses. */
  readonly keysOf: (row: Rows[Name]) => readonly string[];
}
