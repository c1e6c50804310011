/**
 * Names: readable names for the objects of a history. `web.3#352` is the task of slot 3 of service web whose
 * id ends in 352; a later task of that slot has another number.
 *
 * Names are learned from rows with both id and name, and are kept after the object is deleted.
 */
import {
  type Config,
  type Event,
  type Secret,
  type Service,
  slotName,
  type Task,
  type View,
} from "@gam/state";

const id = /\b[a-z0-9]{25}\b/g;

export class Names {
  readonly #known = new Map<string, string>();

  /** Names of all objects in a state. */
  static of(view: View): Names {
    const names = new Names();
    for (const after of view.networks()) names.learnFrom({ table: "network", after });
    for (const after of view.secrets()) names.learnFrom({ table: "secret", after });
    for (const after of view.configs()) names.learnFrom({ table: "config", after });
    for (const after of view.services()) names.learnFrom({ table: "service", after });
    for (const after of view.tasks()) names.learnFrom({ table: "task", after });
    return names;
  }

  learn(id: string, name: string): void {
    this.#known.set(id, name);
  }

  learnFrom(event: Event): void {
    const row = event.after ?? event.before;
    if (row === undefined) return;
    if (event.table === "task") this.learn((row as Task).ID, this.#ofTask(row as Task));
    else if (event.table === "service") {
      this.learn((row as Service).ID, (row as Service).Spec.Name ?? "");
    } else if (event.table === "secret" || event.table === "config") {
      const { ID, Spec } = row as Secret | Config;
      this.learn(ID, Spec.Name);
    } else if ("Name" in row) this.learn(row.Id, row.Name);
  }

  #ofTask(task: Task): string {
    const number = shortened(task.ID).replace(/^\D+/, "");
    return `${task.Gam.serviceName}.${this.of(slotName(task))}#${number}`;
  }

  /** The name of an id; without a name, the id without its zeros. Other words stay as they are. */
  of(word: string): string {
    return this.#known.get(word) ?? shortened(word);
  }

  /** The text with names instead of ids. */
  plain(text: string): string {
    return text.replaceAll(id, (word) => this.of(word));
  }
}

/** Shortens an id, which in a simulated world is a short word, zeros and a number. */
function shortened(word: string): string {
  if (word.length !== 25) return word;
  return word.replace(/^([a-z]+?)0+(\d*)$/, "$1$2");
}

/** The names of hosts in a text. */
export function hostsIn(text: string): readonly string[] {
  return text.match(/\bhost\d+\b/g) ?? [];
}
