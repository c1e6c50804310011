/**
 * Store: the replicated objects and how the log changes them.
 *
 * Applies valid proposals; the same log gives the same objects on every peer. This file treats all kinds of
 * objects alike: tables.ts knows what a change makes of one object, and whether it is valid. Does not decide
 * what ought to change (orchestrator, scheduler) nor whether a spec makes sense (service-spec.ts).
 *
 * Apply is total: a proposal that throws is refused as any other and leaves nothing behind. Otherwise an entry
 * that ended one peer would end all of them, again after each start. apply() returns what was thrown, for a log
 * line.
 */
import { assert, encode, type NodeId, type ProposalId } from "@gam/core";
import {
  type Change,
  type ChangeOf,
  type Outcome,
  type Proposal,
  type Refusal,
  type Rows,
  type TableName,
  tableOf,
} from "../log/change.ts";
import { dialectOfProposal, firstDialect, refusalOfDialect } from "../log/dialect.ts";
import type { Occasion } from "../log/occasion.ts";
import type { Event, Readers, View } from "../log/view.ts";
import type { Cluster } from "../objects/cluster.ts";
import type { Happening } from "../objects/happening.ts";
import { type Dump, type Lists, rowsOf } from "./dump.ts";
import { schema } from "./dump-schema.ts";
import { EventHistory, type News, newsOf } from "./event-history.ts";
import { Table } from "./table.ts";
import { listNames, onlyOne, tableNames, tables } from "./tables.ts";
import { TaskIndex } from "./task-index.ts";

/** Number of outcomes kept, so that a repeated proposal is applied once. Retries end long before that. */
const outcomesMax = 8192;
/** The same text on every peer, whatever was thrown. */
const unapplied: Refusal = {
  code: "REFUSED",
  message: "the change cannot be applied to the state as it is",
};

export interface Applied {
  readonly outcome: Outcome;
  readonly events: Event[];
  readonly thrown?: unknown;
}

type Tables = { readonly [Name in TableName]: Table<string, Rows[Name]> };

/** `nodes()`, `node(id)` and so on, for each table. */
const Reading = class {
  constructor(rows: Tables) {
    for (const name of listNames) {
      const table: Table<string, Rows[typeof name]> = rows[name];
      Object.assign(this, {
        [`${name}s`]: () => table.all(),
        [name]: (id: string) => table.get(id),
      });
    }
  }
} as new (
  rows: Tables,
) => Readers;

export class Store extends Reading implements View {
  readonly #rows: Tables;
  readonly #removed = new Table<NodeId, NodeId>();
  readonly #tasks = new TaskIndex();
  readonly #outcomes = new Map<ProposalId, Outcome>();
  readonly #history = new EventHistory();
  /** The tables that a proposal changes. The index of tasks follows from them. */
  readonly #all: readonly Table<string, unknown>[];
  #index = 0;
  #dialect = firstDialect;

  constructor() {
    const rows = Object.fromEntries(
      tableNames.map((name) => [name, new Table()]),
    ) as unknown as Tables;
    super(rows);
    this.#rows = rows;
    this.#all = [...Object.values(rows), this.#removed];
  }

  get index(): number {
    return this.#index;
  }
  get dialect(): number {
    return this.#dialect;
  }
  get cluster(): Cluster | undefined {
    return this.#rows.cluster.get(onlyOne);
  }
  tasksOf = this.#tasks.of;
  tasksOn = this.#tasks.on;
  tasksWaiting = this.#tasks.waiting;
  isRemoved = (id: NodeId): boolean => this.#removed.has(id);

  /** Returns: the last events of the cluster, oldest first. */
  happenings(): readonly Happening[] {
    return this.#history.all();
  }

  /** Returns: the outcome of a proposal, if it was applied recently. */
  outcomeOf(id: ProposalId): Outcome | undefined {
    return this.#outcomes.get(id);
  }

  /** Moves the index for an entry without a proposal (a new leader's, a change of voters). */
  skip(index: number): void {
    assert(index > this.#index, "entries are applied in order");
    this.#index = index;
  }

  /**
   * Applies one committed entry. Events are in the order in which the objects changed. `thrown` is the error,
   * if the proposal threw and was not merely refused.
   */
  apply(index: number, proposal: Proposal): Applied {
    assert(index > this.#index, "entries are applied in order");
    this.#index = index;
    const known = this.#outcomes.get(proposal.id);
    if (known !== undefined) return { outcome: known, events: [] };
    const needed = dialectOfProposal(proposal);
    const unread = refusalOfDialect(this, needed);
    const { refusal, events, news, thrown } = unread
      ? { refusal: unread, events: [], news: [] }
      : this.#attempt(proposal);
    if (refusal === undefined) this.#dialect = Math.max(this.#dialect, needed);
    this.#history.add(news, proposal.atMs);
    const outcome: Outcome =
      refusal === undefined ? { kind: "applied", index } : { kind: "refused", ...refusal };
    this.#outcomes.set(proposal.id, outcome);
    if (this.#outcomes.size > outcomesMax) {
      for (const oldest of this.#outcomes.keys()) {
        this.#outcomes.delete(oldest);
        break;
      }
    }
    return { outcome, events, ...(thrown !== undefined && { thrown }) };
  }

  /** Applies all changes or none. Each is judged by the state after the earlier ones. */
  #attempt({ atMs, changes }: Proposal): {
    readonly refusal?: Refusal;
    readonly events: Event[];
    readonly news: readonly News[];
    readonly thrown?: unknown;
  } {
    for (const table of this.#all) table.begin();
    let refusal: Refusal | undefined;
    let thrown: unknown;
    let news: readonly News[] = [];
    const events: Event[] = [];
    try {
      const at = new Date(atMs).toISOString();
      const on: Occasion = { view: this, index: this.#index, at, atMs };
      for (const change of changes) {
        refusal = this.#change(tableOf[change.kind], change, { on, events });
        if (refusal !== undefined) break;
      }
      if (refusal === undefined) news = newsOf(events);
    } catch (caught) {
      // Catches all: apply is total, since the entry is in every peer's log.
      thrown = caught ?? new Error("nothing was said");
      refusal = unapplied;
    }
    if (refusal === undefined) {
      for (const table of this.#all) table.commit();
      return { events, news };
    }
    for (const table of this.#all) table.rollBack();
    if (events.length > 0 || thrown !== undefined) this.#tasks.rebuild(this.tasks());
    return { refusal, events: [], news: [], thrown };
  }

  /** Applies one change and adds its events. Returns: why the change is refused; then nothing has changed. */
  #change<Name extends TableName>(
    name: Name,
    change: Change,
    { on, events }: { readonly on: Occasion; readonly events: Event[] },
  ): Refusal | undefined {
    const rule = tables[name];
    const ours = change as ChangeOf<Name>;
    const refusal = rule.refusal(this, ours);
    if (refusal !== undefined) return refusal;
    const before = this.#rows[name].get(rule.idIn(ours));
    const after = rule.after(before, ours, on);
    const others = rule.others?.(before, ours, on) ?? [];
    const own = after === before ? [] : [eventOf(name, before, after)];
    for (const event of [...own, ...others]) {
      this.#move(event.table, event);
      this.#follow(event);
      events.push(event);
    }
    return undefined;
  }

  #move<Name extends TableName>(
    name: Name,
    { before, after }: { readonly before?: Rows[Name]; readonly after?: Rows[Name] },
  ): void {
    const { idOf } = tables[name];
    if (after !== undefined) this.#rows[name].put(idOf(after), after);
    else if (before !== undefined) this.#rows[name].delete(idOf(before));
  }

  /** Updates what is kept beside the tables. */
  #follow({ table, before, after }: Event): void {
    if (table === "task") {
      if (after !== undefined) this.#tasks.put(after);
      else if (before !== undefined) this.#tasks.delete(before);
    }
    if (table === "node") {
      if (after !== undefined) this.#removed.delete(after.ID);
      else if (before !== undefined) this.#removed.put(before.ID, before.ID);
    }
  }

  /** Returns: bytes from which restore() makes the same store again. */
  dump(): Uint8Array {
    const lists = Object.fromEntries(listNames.map((name) => [`${name}s`, this.#rows[name].all()]));
    const dump: Dump = {
      schema,
      index: this.#index,
      dialect: this.#dialect,
      cluster: this.cluster,
      ...(lists as unknown as Lists),
      removed: this.#removed.all(),
      outcomes: [...this.#outcomes],
      happenings: this.happenings(),
    };
    return encode(dump);
  }

  /**
   * Returns: a store of its own with what the view has, to try changes on. It shares the objects, which never change
   * in place. It knows no outcomes, events and removed peers.
   */
  static like(view: View): Store {
    const lists = Object.fromEntries(listNames.map((name) => [`${name}s`, view[`${name}s`]()]));
    const store = new Store();
    const { index, dialect, cluster } = view;
    const none = { removed: [], outcomes: [] };
    store.restore({ schema, index, dialect, cluster, ...(lists as unknown as Lists), ...none });
    return store;
  }

  /** Replaces the whole state by a snapshot's. Returns: the differences, table by table. */
  restore(dump: Dump): Event[] {
    const events = tableNames.flatMap((name) => this.#refill(name, dump));
    this.#tasks.rebuild(this.tasks());
    this.#index = dump.index;
    this.#dialect = dump.dialect;
    this.#removed.clear();
    for (const id of dump.removed) this.#removed.put(id, id);
    this.#outcomes.clear();
    for (const [id, outcome] of dump.outcomes) this.#outcomes.set(id, outcome);
    this.#history.restore(dump.happenings ?? []);
    return events;
  }

  #refill<Name extends TableName>(name: Name, dump: Dump): readonly Event[] {
    const { idOf } = tables[name];
    const table = this.#rows[name];
    const before = table.all();
    table.clear();
    for (const row of rowsOf(dump, name)) table.put(idOf(row), row);
    return differences(name, before, table.all());
  }
}

function eventOf<Name extends TableName>(
  table: Name,
  before: Rows[Name] | undefined,
  after: Rows[Name] | undefined,
): Event {
  return { table, ...(before && { before }), ...(after && { after }) } as Event;
}

/** Returns: events for rows that are gone, new or different. */
function differences<Name extends TableName>(
  name: Name,
  before: readonly Rows[Name][],
  after: readonly Rows[Name][],
): readonly Event[] {
  const { idOf } = tables[name];
  const old = new Map(before.map((row) => [idOf(row), row]));
  const found: Event[] = [];
  for (const row of after) {
    const known = old.get(idOf(row));
    old.delete(idOf(row));
    if (known !== undefined && JSON.stringify(known) === JSON.stringify(row)) continue;
    found.push(eventOf(name, known, row));
  }
  return [...[...old.values()].map((row) => eventOf(name, row, undefined)), ...found];
}
