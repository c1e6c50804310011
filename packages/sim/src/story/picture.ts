/**
 * Picture: desired and actual state at one moment: what each service wants, the state of its tasks, and what
 * runs on each host. Only renders; failure.ts looks everything up.
 */

export interface Picture {
  /** The host with the newest copy of the state, which is shown. */
  readonly seenBy: string;
  readonly index: number;
  /** The leaders that the running agents know, without doubles. */
  readonly leaders: readonly string[];
  readonly services: readonly PictureService[];
  readonly hosts: readonly PictureHost[];
}

export interface PictureService {
  readonly name: string;
  readonly wish: string;
  /** "" where there is none. */
  readonly update: string;
  readonly tasks: readonly PictureTask[];
  /** Number of ended tasks that are not wanted any more. */
  readonly ended: number;
}

export interface PictureTask {
  readonly name: string;
  readonly wanted: string;
  readonly state: string;
  /** "" where it has none. */
  readonly node: string;
  readonly image: string;
  /** Phase of its container on that node; "" if there is none. */
  readonly container: string;
  /** Why it cannot go on, or "". */
  readonly why: string;
}

export interface PictureHost {
  readonly name: string;
  /** Its node in the state: "ready manager, active". */
  readonly node: string;
  /** How the host really is: "agent runs", "agent is off", "frozen". */
  readonly truth: string;
  readonly applied: number | undefined;
  /** Tasks whose containers run. */
  readonly runs: readonly string[];
}

export function picture({ seenBy, index, leaders, services, hosts }: Picture): string[] {
  const leader = leaders.length === 1 ? `leader ${leaders[0]}` : `leaders: ${leaders.join(", ")}`;
  return [
    `Desired and actual state, as ${seenBy} has it: entry ${index}, ${leader}`,
    ...services.flatMap(serviceLines),
    ...table(
      hosts.map(({ name, node, truth, applied, runs }) => [
        name,
        node,
        truth,
        applied === undefined ? "" : `entry ${applied}`,
        `runs ${runs.join(" ") || "nothing"}`,
      ]),
      "  ",
    ),
  ];
}

function serviceLines({ name, wish, update, tasks, ended }: PictureService): string[] {
  return [
    `  service ${name} wants ${wish}${update && `; update: ${update}`}${ended === 0 ? "" : `; ${ended} ended tasks left out`}`,
    ...table(
      tasks.map((task) => [
        task.name,
        task.image,
        `desired ${task.wanted}`,
        `is ${task.state}${task.node && ` on ${task.node}`}`,
        task.container ? `container ${task.container}` : "no container",
        task.why,
      ]),
      "    ",
    ),
  ];
}

/** Columns as wide as their widest cell, two spaces apart. */
function table(rows: readonly (readonly string[])[], indent: string): string[] {
  const widths = (rows[0] ?? []).map((_, at) =>
    Math.max(...rows.map((row) => row[at]?.length ?? 0)),
  );
  return rows.map((row) => {
    const cells = row.map((cell, at) => cell.padEnd(widths[at] ?? 0));
    return `${indent}${cells.join("  ")}`.trimEnd();
  });
}
