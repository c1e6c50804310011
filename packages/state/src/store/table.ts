/**
 * Rows by id, with a cached list for readers.
 *
 * The list is in order of insertion. Where insertion is not creation (a task gets its node long after it was
 * made), it is sorted by id instead. So a restored table lists its rows in the same order as the original.
 *
 * Between begin() and commit(), changes can be undone: rollBack() restores the table, with the order of its
 * rows.
 */
export class Table<Id extends string, Row> {
  #rows = new Map<Id, Row>();
  readonly #sorted: boolean;
  #list: readonly Row[] | undefined;
  /** Earlier values of the rows that changed since begin(), if any; `undefined` for new rows. */
  #before: Map<Id, Row | undefined> | undefined;
  /** Rows deleted since begin(). They keep their places until commit(). */
  readonly #gone = new Set<Id>();
  /** A copy of the rows, made when a row is deleted and put again: in `#rows` it would lose its place. */
  #copy: Map<Id, Row> | undefined;
  #open = false;

  constructor(sorted = false) {
    this.#sorted = sorted;
  }

  begin(): void {
    this.#open = true;
  }

  commit(): void {
    this.#open = false;
    this.#before = undefined;
    this.#copy = undefined;
    if (this.#gone.size === 0) return;
    for (const id of this.#gone) this.#rows.delete(id);
    this.#gone.clear();
  }

  rollBack(): void {
    this.#open = false;
    this.#gone.clear();
    this.#list = undefined;
    if (this.#copy !== undefined) this.#rows = this.#copy;
    for (const [id, row] of this.#before ?? []) {
      if (row === undefined) this.#rows.delete(id);
      else this.#rows.set(id, row);
    }
    this.#before = undefined;
    this.#copy = undefined;
  }

  has(id: Id): boolean {
    return this.#rows.has(id) && !this.#gone.has(id);
  }

  get(id: Id): Row | undefined {
    return this.#gone.size > 0 && this.#gone.has(id) ? undefined : this.#rows.get(id);
  }

  put(id: Id, row: Row): void {
    this.#note(id);
    if (this.#gone.delete(id)) {
      this.#copy ??= new Map(this.#rows);
      this.#rows.delete(id);
    }
    this.#rows.set(id, row);
    this.#list = undefined;
  }

  delete(id: Id): void {
    if (!this.has(id)) return;
    this.#note(id);
    if (this.#open) this.#gone.add(id);
    else this.#rows.delete(id);
    this.#list = undefined;
  }

  clear(): void {
    this.#rows.clear();
    this.#gone.clear();
    this.#list = undefined;
  }

  get size(): number {
    return this.#rows.size - this.#gone.size;
  }

  all(): readonly Row[] {
    this.#list ??= this.#listed();
    return this.#list;
  }

  #listed(): readonly Row[] {
    if (this.#gone.size === 0 && !this.#sorted) return [...this.#rows.values()];
    const entries = [...this.#rows].filter(([id]) => !this.#gone.has(id));
    if (this.#sorted) entries.sort(([a], [b]) => (a < b ? -1 : 1));
    return entries.map(([, row]) => row);
  }

  #note(id: Id): void {
    if (!this.#open) return;
    this.#before ??= new Map();
    if (!this.#before.has(id)) this.#before.set(id, this.#rows.get(id));
  }
}

/** Tables of rows by owner: tasks of a service, tasks on a node. */
export class Index<Owner extends string, Id extends string, Row> {
  readonly #owners = new Map<Owner, Table<Id, Row>>();
  readonly #sorted: boolean;

  constructor(sorted = false) {
    this.#sorted = sorted;
  }

  put(owner: Owner, id: Id, row: Row): void {
    let table = this.#owners.get(owner);
    if (table === undefined) {
      table = new Table(this.#sorted);
      this.#owners.set(owner, table);
    }
    table.put(id, row);
  }

  delete(owner: Owner, id: Id): void {
    const table = this.#owners.get(owner);
    if (table === undefined) return;
    table.delete(id);
    if (table.size === 0) this.#owners.delete(owner);
  }

  clear(): void {
    this.#owners.clear();
  }

  of(owner: Owner): readonly Row[] {
    return this.#owners.get(owner)?.all() ?? [];
  }
}
