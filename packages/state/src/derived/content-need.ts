/** Content need: which secrets and configs a spec names, and which of their versions are needed. */
import type { ConfigId, SecretId } from "@gam/core";
import type { View } from "../log/view.ts";
import type { Config } from "../objects/config.ts";
import type { ContentId, ContentVersions } from "../objects/content.ts";
import type { Secret } from "../objects/secret.ts";
import type { Service, ServiceSpec, TaskSpec } from "../objects/service.ts";
import { isTerminal } from "../objects/task.ts";
import { openRollout } from "./rollout/open-rollout.ts";

/** Returns: the ids of the secrets and configs that such tasks need, each once. */
export function contentsOf({ ContainerSpec }: TaskSpec): readonly ContentId[] {
  const { Secrets = [], Configs = [] } = ContainerSpec;
  if (Secrets.length === 0 && Configs.length === 0) return [];
  const ids = [
    ...Secrets.map(({ SecretID }) => SecretID),
    ...Configs.map(({ ConfigID }) => ConfigID),
  ];
  return [...new Set(ids)];
}

/** A secret or a config. Their ids are random, so no two objects share one. */
export function contentHolder(view: View, id: ContentId): Secret | Config | undefined {
  return view.secret(id as SecretId) ?? view.config(id as ConfigId);
}

/** Returns: the versions that a task made now gets. Objects that do not exist are left out. */
export function currentContents(view: View, spec: TaskSpec): ContentVersions {
  const versions: Record<string, number> = {};
  for (const id of contentsOf(spec)) {
    const holder = contentHolder(view, id);
    if (holder !== undefined) versions[id] = holder.Gam.current;
  }
  return versions;
}

/**
 * Returns: the services whose spec names the secret or config, in the order of their creation. While two versions of
 *         a service run, the old one counts too.
 */
export function usersOf(view: View, id: ContentId): readonly Service[] {
  return view.services().filter((service) => {
    const { Spec, PreviousSpec } = service;
    const old = openRollout(service) && PreviousSpec;
    return [Spec, old].some((spec) => spec && contentsOf(spec.TaskTemplate).includes(id));
  });
}

/** Whether every secret and config that the spec names exists. */
export function hasContents(view: View, spec: ServiceSpec): boolean {
  return contentsOf(spec.TaskTemplate).every((id) => contentHolder(view, id) !== undefined);
}

/**
 * Returns: the versions of the object that must stay in the state. New tasks get the current one, tasks that have
 *         not ended have theirs, and services can return to an earlier one.
 */
export function neededVersions(view: View, { ID, Gam }: Secret | Config): ReadonlySet<number> {
  const needed = new Set([Gam.current]);
  for (const service of view.services()) {
    const earlier = service.Gam.earlier[ID];
    if (earlier !== undefined) needed.add(earlier);
  }
  for (const task of view.tasks()) {
    const version = task.Gam.contents[ID];
    if (version !== undefined && !isTerminal(task.Status.State)) needed.add(version);
  }
  return needed;
}
