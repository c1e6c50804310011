/** Node causes: why a node does not take tasks, as sentences. */
import type { NodeVerdict } from "@gam/scheduler";
import { isWanted, type Node, type Task, type View } from "@gam/state";
import { taskName } from "./task-causes.ts";

export interface NodeFacts {
  readonly waiting: readonly Task[];
  readonly verdictOf: (task: Task) => NodeVerdict | undefined;
}

/** Waiting tasks that one report judges. */
const judgedMax = 10;

/** Returns: at least one sentence. */
export function nodeCauses(view: View, node: Node, { waiting, verdictOf }: NodeFacts): string[] {
  const own = ownCauses(node);
  const refused = waiting.slice(0, judgedMax).flatMap((task) => {
    const obstacles = verdictOf(task)?.obstacles ?? [];
    return obstacles.length === 0 ? [] : [`${taskName(task)} waits: ${obstacles.join("; ")}`];
  });
  const causes = [...own, ...refused];
  if (causes.length > 0) return causes;
  const running = view.tasksOn(node.ID).filter((task) => {
    return isWanted(task) && task.Status.State === "running";
  });
  const count = `${running.length} ${running.length === 1 ? "task runs" : "tasks run"} on it`;
  return [`All is as wanted: it takes new tasks, and ${count}`];
}

function ownCauses({ Status, Spec, Gam, Description }: Node): string[] {
  const causes: string[] = [];
  if (Status.State !== "ready") {
    causes.push(`It is ${Status.State}${Status.Message ? `: ${Status.Message}` : ""}`);
  }
  if (!Gam.engine.ready) causes.push(`Its engine does not answer: ${Gam.engine.reason}`);
  if (Spec.Availability !== "active") {
    const command = `docker node update --availability active ${Description.Hostname}`;
    causes.push(`Its availability is "${Spec.Availability}". Run "${command}" to give it tasks`);
  }
  if (Gam.network === undefined) causes.push("It has not reported yet what its network can do");
  else if (Gam.network.problem !== "") {
    causes.push(`It takes no part in networks across hosts: ${Gam.network.problem}`);
  }
  return causes;
}
