/**
 * Content roll: what new content of a secret or config means for the services that use it.
 *
 * It is an update of each of these services: their tasks hold old content, so they are replaced as for another
 * spec. If the update of one service fails and rolls back, the object gets its earlier content again, and so do
 * all other services that use it. A job is left alone: its next run has the new content.
 */
import { assert, type ConfigId, type SecretId } from "@gam/core";
import { contentHolder, contentsOf, usersOf } from "../derived/content-need.ts";
import { openRollout } from "../derived/rollout/open-rollout.ts";
import type { ChangeOf } from "../log/change.ts";
import { moved, type Occasion } from "../log/occasion.ts";
import type { Event, View } from "../log/view.ts";
import type { Config } from "../objects/config.ts";
import type { ContentId, ContentVersions } from "../objects/content.ts";
import type { Secret } from "../objects/secret.ts";
import type { Service } from "../objects/service.ts";
import { undone } from "./rollout/rollout-change.ts";

/** As TableRule.others: the services that a secret's new content concerns. */
export function rolledBySecret(
  secret: Secret | undefined,
  change: ChangeOf<"secret">,
  on: Occasion,
): readonly Event[] {
  if (secret === undefined || change.kind !== "updateSecret") return [];
  return change.content === undefined ? [] : rolledUsers(secret, on);
}

/** As TableRule.others: the services that a config's new content concerns. */
export function rolledByConfig(
  config: Config | undefined,
  change: ChangeOf<"config">,
  on: Occasion,
): readonly Event[] {
  if (config === undefined || change.kind !== "updateConfig") return [];
  return change.content === undefined ? [] : rolledUsers(config, on);
}

function rolledUsers({ ID, Gam }: Secret | Config, on: Occasion): readonly Event[] {
  const users = new Set(usersOf(on.view, ID));
  return on.view.services().flatMap((before): Event[] => {
    const after = users.has(before)
      ? rolledService(before, { [ID]: Gam.current }, on)
      : withoutReturn(before, ID);
    return after === before ? [] : [{ table: "service", before, after }];
  });
}

/** Returns: the service, which no longer names that object. Once its update has ended it does not return there. */
function withoutReturn(service: Service, id: ContentId): Service {
  if (!Object.hasOwn(service.Gam.earlier, id) || isUnfinished(service)) return service;
  const { [id]: _, ...earlier } = service.Gam.earlier;
  return { ...service, Gam: { ...service.Gam, earlier } };
}

/** Returns: the service whose contents change now. `replaced`: the versions before. */
function rolledService(present: Service, replaced: ContentVersions, on: Occasion): Service {
  if (isJob(present)) return present;
  const service = withoutRollout(present, on);
  const { UpdateStatus: _, ...rest } = service;
  const isOpen = isUnfinished(service);
  return {
    ...rest,
    ...moved(on),
    // While an update is not finished, a rollback still leads to what was before that update.
    PreviousSpec: (isOpen ? service.PreviousSpec : undefined) ?? service.Spec,
    Gam: {
      ...service.Gam,
      ...(!isOpen && { registryAuthPrevious: service.Gam.registryAuth }),
      earlier: isOpen ? { ...replaced, ...service.Gam.earlier } : replaced,
      templateVersion: on.index,
      waveAtMs: 0,
      updated: [],
    },
  };
}

/** Returns: the service with its old version, if two versions run: the new one was never tried with this content. */
function withoutRollout(service: Service, on: Occasion): Service {
  const { rollout, ...Gam } = service.Gam;
  const open = openRollout(service);
  if (open === undefined) return rollout === undefined ? service : { ...service, Gam };
  const ended = undone(open, "a secret or config got its earlier content again", on);
  const Spec = service.PreviousSpec ?? service.Spec;
  return { ...service, Spec, Gam: { ...Gam, rollout: ended } };
}

function isJob({ Spec }: Service): boolean {
  return Spec.Mode.ReplicatedJob !== undefined || Spec.Mode.GlobalJob !== undefined;
}

/** Whether the last update of the service has not ended, or has not begun although it has something to do. */
function isUnfinished({ UpdateStatus, Gam }: Service): boolean {
  const state = UpdateStatus?.State;
  if (state === undefined) return Object.keys(Gam.earlier).length > 0;
  return state === "updating" || state === "paused";
}

/** Returns: the earlier versions that still matter once the service has another spec and can return to this one. */
export function earlierFor(service: Service): ContentVersions {
  if (!isUnfinished(service)) return {};
  const ids = new Set<string>(contentsOf(service.Spec.TaskTemplate));
  return Object.fromEntries(Object.entries(service.Gam.earlier).filter(([id]) => ids.has(id)));
}

/** A secret or config that returns to an earlier content. */
interface Return {
  readonly holder: Secret | Config;
  readonly version: number;
}

/** Returns: the objects whose content would change if the service went back now. */
export function returnsOf(view: View, { Gam }: Service): readonly Return[] {
  return Object.entries(Gam.earlier).flatMap(([id, version]): Return[] => {
    const holder = contentHolder(view, id as ContentId);
    if (holder === undefined || holder.Gam.current === version) return [];
    const isThere = holder.Gam.contents.some((one) => one.version === version);
    return isThere ? [{ holder, version }] : [];
  });
}

/**
 * Returns: what else changes when the service goes back: the objects, and the other services that use them.
 * `why`: what their update status says.
 */
export function returned(service: Service, why: string, on: Occasion): readonly Event[] {
  const returns = returnsOf(on.view, service);
  const users = new Set(returns.flatMap(({ holder }) => usersOf(on.view, holder.ID)));
  users.delete(service);
  const services = [...users].flatMap((before): Event[] => {
    const after = rolledService(before, {}, on);
    if (after === before) return [];
    const status = { State: "rollback_started", StartedAt: on.at, Message: why } as const;
    const Gam = { ...after.Gam, earlier: {} };
    return [{ table: "service", before, after: { ...after, UpdateStatus: status, Gam } }];
  });
  return [...returns.map((one) => backTo(one, on)), ...services];
}

function backTo({ holder, version }: Return, on: Occasion): Event {
  const secret = on.view.secret(holder.ID as SecretId);
  if (secret !== undefined) {
    const Gam = { ...secret.Gam, current: version };
    return { table: "secret", before: secret, after: { ...secret, ...moved(on), Gam } };
  }
  const config = on.view.config(holder.ID as ConfigId);
  assert(config !== undefined, "the object is a secret or a config");
  const Gam = { ...config.Gam, current: version };
  return { table: "config", before: config, after: { ...config, ...moved(on), Gam } };
}
