/**
 * Failure: the report of a failed seed: what was found, the last lines of its story, desired and actual
 * state, and the command that runs this seed again.
 */
import { isTerminal, isWanted, type Node, type Task } from "@gam/state";
import { Breach } from "./checks/breach.ts";
import type { SimHost } from "./hosts/host.ts";
import { Names } from "./story/names.ts";
import { wishOf } from "./story/phrases.ts";
import { type Picture, type PictureTask, picture } from "./story/picture.ts";
import type { Teller } from "./story/teller.ts";
import type { World } from "./world.ts";

/** The lines of the report. `command`: runs the seed again. */
export function failureStory({
  seed,
  world,
  teller,
  thrown,
  lastMax,
  command,
}: {
  readonly seed: number;
  readonly world: World;
  readonly teller: Teller;
  readonly thrown: unknown;
  /** How many lines of the story to include; 0 if all lines are printed anyway. */
  readonly lastMax: number;
  readonly command: string;
}): string[] {
  const lines = teller.lines();
  const last = lines.slice(Math.max(0, lines.length - lastMax));
  const story = [`The last ${last.length} of ${lines.length} lines of its story:`, ...last, ""];
  const isOn = world.hosts.some(({ peer }) => peer !== undefined);
  return [
    `seed ${seed} failed at ${(world.agenda.nowMs / 1000).toFixed(3)} s: ${teller.plain(messageOf(thrown))}`,
    "",
    ...(lastMax === 0 ? [] : story),
    ...(isOn ? picture(pictureOf(world)) : ["No agent runs, so there is no state to show"]),
    "",
    `run again with all lines: ${command}`,
  ];
}

/** The message of a breach, or the stack of another error, which is a bug in a machine or in the simulator. */
export function messageOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  return thrown instanceof Breach ? thrown.message : (thrown.stack ?? thrown.message);
}

export function pictureOf(world: World): Picture {
  const { hosts } = world;
  const view = world.newest();
  const names = Names.of(view);
  const on = hosts.filter(({ peer }) => peer !== undefined);
  return {
    seenBy: names.of(on.find(({ peer }) => peer?.view === view)?.id ?? ""),
    index: view.index,
    leaders: [...new Set(on.map(({ peer }) => names.of(peer?.leader ?? "none")))],
    services: view.services().map(({ ID, Spec, UpdateStatus }) => {
      const tasks = view.tasksOf(ID);
      const open = tasks.filter((task) => isWanted(task) || !isTerminal(task.Status.State));
      return {
        name: names.of(ID),
        wish: wishOf(Spec, names),
        update: UpdateStatus === undefined ? "" : `${UpdateStatus.State}, ${UpdateStatus.Message}`,
        tasks: open.map((task) => taskOf(task, hosts, names)),
        ended: tasks.length - open.length,
      };
    }),
    hosts: hosts.map((host) => ({
      name: names.of(host.id),
      node: nodeOf(view.node(host.id), names),
      truth: truthOf(host),
      applied: host.peer?.view.index,
      runs: host.engine
        .containers()
        .filter(({ phase }) => phase === "running")
        .map(({ task }) => names.of(task)),
    })),
  };
}

function nodeOf(node: Node | undefined, names: Names): string {
  if (node === undefined) return "no node";
  const { State, Message } = node.Status;
  const why = Message ? ` (${names.plain(Message)})` : "";
  return `${State} ${node.Spec.Role}, ${node.Spec.Availability}${why}`;
}

function taskOf(task: Task, hosts: readonly SimHost[], names: Names): PictureTask {
  const host = hosts.find(({ id }) => id === task.NodeID);
  return {
    name: names.of(task.ID),
    wanted: task.DesiredState,
    state: task.Status.State,
    node: names.of(task.NodeID ?? ""),
    image: task.Spec.ContainerSpec.Image,
    container: host?.engine.container(task.ID)?.phase ?? "",
    why: names.plain(task.Status.Err ?? ""),
  };
}

function truthOf(host: SimHost): string {
  if (host.frozen) return "frozen";
  if (host.peer === undefined) return host.refuses ? "agent is off" : "no power";
  return host.engineLost ? "agent runs, engine is lost" : "agent runs";
}
