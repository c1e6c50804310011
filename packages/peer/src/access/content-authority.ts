/**
 * Content authority: which node may have the data of which secret, and which registry credentials.
 *
 * Decides by the state alone: a node may have what a task of its own uses, from the moment when the task is
 * assigned to it until the task has ended. The host of an HTTP proxy may also have the certificates of all services.
 * Managers are no exception here: they can open everything by themselves.
 */
import type { TaskId } from "@gam/core";
import {
  type ContentId,
  compareStates,
  isProxy,
  isTerminal,
  proxySecrets,
  type View,
} from "@gam/state";
import { type Asker, roleOf } from "./authority.ts";

/** What a node asks for on behalf of one task: contents of secrets by version, or the service's credentials. */
export interface ContentsAsked {
  readonly task: TaskId;
  readonly contents: readonly { readonly id: ContentId; readonly content: number }[];
}

/** Returns: why the asker may not have it; undefined when it may. */
export function refusalOfContents(
  view: View,
  asker: Asker,
  { task: id, contents }: ContentsAsked,
): string | undefined {
  if (roleOf(view, asker) === undefined) return "it is no member";
  const task = view.task(id);
  if (task === undefined) return `there is no task ${id}`;
  if (task.NodeID !== asker.id) return `task ${id} is not its own`;
  if (compareStates(task.Status.State, "assigned") < 0) return `task ${id} was not assigned yet`;
  if (isTerminal(task.Status.State)) return `task ${id} has ended`;
  const used = task.Gam.contents;
  const certificates: ReadonlySet<ContentId> = isProxy(task) ? proxySecrets(view) : new Set();
  const isUsed = contents.every(({ id, content }) => {
    return used[id] === content || certificates.has(id);
  });
  return isUsed ? undefined : `task ${id} does not use it`;
}
