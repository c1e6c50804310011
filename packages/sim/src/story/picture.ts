/**
 * Picture: the state beside the wish, at one moment: what each service wants, what the state says of its
 * tasks, and what runs on each host. Renders and looks nothing up; failure.ts fills it in.
 */

export interface Picture {
  /** The host whose copy of the state this is: the newest. */
  readonly seenBy: string;
  readonly index: number;
  /** Whom each host that is on takes for the leader, without doubles. */
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
  /** Tasks that are wanted no more and have ended. */
  readonly ended: number;
}

export interface PictureTask {
  readonly name: string;
  readonly wanted: string;
  readonly state: string;
  /** "" where it has none. */
  readonly node: string;
  readonly image: string;
  /** Of its container on that node; "" where there is none. */
  readonly container: string;
  /** Why it cannot go on, or "". */
  readonly why: string;
}

export interface PictureHost {
  readonly name: string;
  /** What the state says: "ready manager, active". */
  readonly node: string;
  /** What is true: "agent runs", "agent is off", "frozen". */
  readonly truth: string;
  readonly applied: number | undefined;
  /** Tasks whose containers run. */
  readonly runs: readonly string[];
}

export function picture({ seenBy, index, leaders, services, hosts }: Picture): string[] {
  const leader = leaders.length === 1 ? `leader ${leaders[0]}` : `leaders: ${leaders.join(", ")}`;
  return [
    `The state beside the wish, as ${seenBy} has it: entry ${index}, ${leader}`,
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
        `wanted ${task.wanted}`,
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
