/**
 * Rows by id, with the list that readers ask for again and again.
 *
 * The list is in order of insertion, or sorted by id where insertion is not creation (a task gets its
 * node long after it was made): then a restored table lists the same as one that grew.
 */
export class Table<Id extends string, Row> {
  readonly #rows = new Map<Id, Row>();
  readonly #sorted: boolean;
  #list: readonly Row[] | undefined;

  constructor(sorted = false) {
    this.#sorted = sorted;
  }

  get(id: Id): Row | undefined {
    return this.#rows.get(id);
  }

  put(id: Id, row: Row): void {
    this.#rows.set(id, row);
    this.#list = undefined;
  }

  delete(id: Id): void {
    if (this.#rows.delete(id)) this.#list = undefined;
  }

  clear(): void {
    this.#rows.clear();
    this.#list = undefined;
  }

  get size(): number {
    return this.#rows.size;
  }

  all(): readonly Row[] {
    this.#list ??= this.#sorted
      ? [...this.#rows.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row)
      : [...this.#rows.values()];
    return this.#list;
  }
}

/** Tables of rows by an owner: tasks of a service, tasks on a node. */
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
