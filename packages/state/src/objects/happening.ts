/** Happening: one event of the cluster, as "docker events" shows it. */

/** The object of an event, with the attributes that the event shows. */
export interface Told {
  readonly type: "config" | "network" | "node" | "secret" | "service";
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export interface Happening extends Told {
  /** 1 for the first event of the cluster, and one more for each later one. */
  readonly number: number;
  /** Milliseconds since 1970: the time of the proposal. Clocks differ, so a later event may have an earlier time. */
  readonly atMs: number;
  readonly action: "create" | "remove" | "update";
}
