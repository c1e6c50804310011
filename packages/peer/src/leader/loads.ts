/**
 * Loads: what each task used lately, as its host says.
 *
 * A host says its usage at least every ten seconds. What a host said that has been silent for several looks does
 * not count, whatever the host's clock says. Call look() at a fixed pace.
 */
import type { NodeId, TaskId } from "@gam/core";
import type { Task, TaskUsage, Usage } from "@gam/state";

/** Looks after which the usage of a silent host does not count any more. */
const silentLooksMax = 4;

export class Loads {
  readonly #said = new Map<NodeId, { readonly usage: Usage; looks: number }>();
  readonly #tasks = new Map<TaskId, TaskUsage>();

  look(usage: ReadonlyMap<NodeId, Usage>): void {
    this.#tasks.clear();
    for (const id of this.#said.keys()) if (!usage.has(id)) this.#said.delete(id);
    for (const [id, now] of usage) {
      if (now.tasks === undefined) continue;
      const said = this.#said.get(id);
      const looks = said?.usage === now ? said.looks + 1 : 0;
      this.#said.set(id, { usage: now, looks });
      if (looks >= silentLooksMax) continue;
      for (const task of now.tasks) this.#tasks.set(task.id, task);
    }
  }

  of({ ID }: Pick<Task, "ID">): TaskUsage | undefined {
    return this.#tasks.get(ID);
  }
}
