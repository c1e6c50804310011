/** Contents: what always holds for the contents of secrets and configs, and what holds once nothing happens. */
import { sameValue } from "@gam/core";
import {
  currentContents,
  isTerminal,
  isWanted,
  neededVersions,
  type Service,
  type Task,
  type View,
} from "@gam/state";
import { Breach } from "./breach.ts";

/** Checks that the state has the content of every task that may still run. */
export function hasContentsOfTasks(view: View): void {
  const versions = new Map<string, ReadonlySet<number>>();
  for (const { ID, Gam } of [...view.secrets(), ...view.configs()]) {
    versions.set(ID, new Set(Gam.contents.map(({ version }: { version: number }) => version)));
  }
  for (const { ID, Status, Gam } of view.tasks()) {
    if (isTerminal(Status.State)) continue;
    for (const [id, version] of Object.entries(Gam.contents)) {
      // An object without a service may be removed while tasks of an earlier spec still run, as in Swarm.
      const known = versions.get(id);
      if (known === undefined || known.has(version)) continue;
      throw new Breach(`task ${ID} uses version ${version} of ${id}, which the state has not`);
    }
  }
}

/** Returns: a task of the service that does not have the current contents. */
export function outdatedContent(service: Service, view: View): Task | undefined {
  const current = currentContents(view, service.Spec.TaskTemplate);
  return view
    .tasksOf(service.ID)
    .find((task) => isWanted(task) && !sameValue(task.Gam.contents, current));
}

/** Returns: the first content that nothing needs. */
export function idleContent(view: View): string | undefined {
  for (const holder of [...view.secrets(), ...view.configs()]) {
    const needed = neededVersions(view, holder);
    for (const { version } of holder.Gam.contents) {
      if (!needed.has(version)) return `nothing needs version ${version} of ${holder.Spec.Name}`;
    }
  }
  return undefined;
}
