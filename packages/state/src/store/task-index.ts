/** Task index: tasks by service, by node, and those that wait. Derived from the table of tasks. */
import type { NodeId, ServiceId, TaskId } from "@gam/core";
import { isWaiting, type Task } from "../objects/task.ts";
import { Index, Table } from "./table.ts";

export class TaskIndex {
  readonly #of = new Index<ServiceId, TaskId, Task>();
  readonly #on = new Index<NodeId, TaskId, Task>(true);
  readonly #waiting = new Table<TaskId, Task>();

  of = (id: ServiceId): readonly Task[] => this.#of.of(id);
  on = (id: NodeId): readonly Task[] => this.#on.of(id);
  waiting = (): readonly Task[] => this.#waiting.all();

  /** Rebuilds the index from all tasks, in their order. */
  rebuild(tasks: readonly Task[]): void {
    this.#of.clear();
    this.#on.clear();
    this.#waiting.clear();
    for (const task of tasks) this.put(task);
  }

  put(task: Task): void {
    this.#of.put(task.ServiceID, task.ID, task);
    if (task.NodeID !== undefined) this.#on.put(task.NodeID, task.ID, task);
    if (isWaiting(task)) this.#waiting.put(task.ID, task);
    else this.#waiting.delete(task.ID);
  }

  delete({ ID, ServiceID, NodeID }: Task): void {
    this.#of.delete(ServiceID, ID);
    this.#waiting.delete(ID);
    if (NodeID !== undefined) this.#on.delete(NodeID, ID);
  }
}
