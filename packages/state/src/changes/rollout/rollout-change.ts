/**
 * Rollout change: how a rollout begins, what a person makes of it, and how it ends with its service's spec.
 *
 *   another template       a rollout from the version before, if the labels ask for one. A new version in the middle
 *                          of a rollout replaces the newest one: it begins again from the old version
 *   another spec with the  the rollout goes on. If the spec asks for none any more, the rest is an ordinary update
 *   same template
 *   back to the old spec   the new version gets no connections from this entry on
 *
 * While a rollout is under way, the service's previous spec stays the one of the old version.
 */

import { openRollout } from "../../derived/rollout/open-rollout.ts";
import { rolloutOf } from "../../labels/rollout-labels.ts";
import type { Refusal } from "../../log/change.ts";
import type { Occasion } from "../../log/occasion.ts";
import type { Rollout, RolloutAction } from "../../objects/rollouts/rollout.ts";
import type { Service, ServiceSpec, UpdateStatus } from "../../objects/service.ts";

/** What a write of the spec means for the rollout. */
export interface Turn {
  readonly rollout?: Rollout | undefined;
  /** The spec to which a rollback leads; absent: the one that is replaced. */
  readonly previous?: ServiceSpec | undefined;
  /** Absent: as without a rollout. */
  readonly status?: UpdateStatus | undefined;
}

/**
 * Returns: the rollout of the service once it has this spec.
 *
 * Shape: `service` as it was before. `changed`: the spec makes other tasks. `back`: why it is a rollback, if it is.
 */
export function turnOf(
  service: Service,
  {
    spec,
    changed,
    back,
  }: { readonly spec: ServiceSpec; readonly changed: boolean; readonly back: string | undefined },
  on: Pick<Occasion, "index" | "at" | "atMs">,
): Turn {
  const open = openRollout(service);
  if (back !== undefined) return open === undefined ? {} : { rollout: undone(open, back, on) };
  const wish = rolloutOf(spec);
  const previous = open && service.PreviousSpec && withReplicasOf(service.PreviousSpec, spec);
  if (wish === undefined) return changed || open ? { previous } : { rollout: service.Gam.rollout };
  if (!changed) {
    const rollout = service.Gam.rollout;
    return open === undefined ? { rollout } : { rollout, previous, status: service.UpdateStatus };
  }
  const base = open?.base ?? service.Gam.templateVersion;
  const rollout: Rollout = {
    ...{ serial: 0, strategy: wish.strategy, version: on.index, base, weight: 0 },
    ...{ step: 0, phase: "starting", sinceMs: on.atMs, failed: [] },
  };
  const status = { State: "updating", StartedAt: on.at, Message: "rollout has begun" } as const;
  return { rollout, previous, status };
}

/** The number of replicas is not a part of the version. */
function withReplicasOf(spec: ServiceSpec, { Mode }: ServiceSpec): ServiceSpec {
  const isBoth = spec.Mode.Replicated !== undefined && Mode.Replicated !== undefined;
  return isBoth ? { ...spec, Mode } : spec;
}

/** Returns: the rollout that has ended without success. Its tasks get no connections. */
export function undone(
  rollout: Rollout,
  reason: string,
  { atMs }: Pick<Occasion, "atMs">,
): Rollout {
  const { paused: _, ...rest } = rollout;
  const end = { result: "rolled back", atMs, reason } as const;
  return { ...rest, serial: rollout.serial + 1, weight: 0, end };
}

/** Returns: why a person cannot do this with the service's rollout. */
export function steerRefusal(
  service: Service,
  { version, action }: { readonly version: number; readonly action: RolloutAction },
): Refusal | undefined {
  const { Name } = service.Spec;
  const open = openRollout(service);
  const refuse = (message: string): Refusal => ({ code: "REFUSED", message });
  if (open === undefined) return refuse(`service ${Name} is in no rollout`);
  if (open.version !== version) {
    return refuse(`service ${Name} was updated meanwhile: look at the new rollout first`);
  }
  if (action === "pause" && open.paused !== undefined) {
    return refuse(`the rollout of service ${Name} is paused already`);
  }
  if (action === "resume" && open.paused === undefined) {
    return refuse(`the rollout of service ${Name} is not paused`);
  }
  if (action === "abort" && service.PreviousSpec === undefined) {
    return refuse(`service ${service.ID} does not have a previous spec`);
  }
  return undefined;
}

/** Returns: the service after `pause`, `resume` or `promote`. Void as steerRefusal() says. */
export function steered(
  service: Service,
  action: Exclude<RolloutAction, "abort">,
  on: Pick<Occasion, "at" | "atMs">,
): Service {
  const open = openRollout(service);
  if (open === undefined) return service;
  const rest = { ...open, serial: open.serial + 1 };
  switch (action) {
    case "pause": {
      const rollout: Rollout = { ...rest, paused: { atMs: on.atMs, by: "person" } };
      return withRollout(service, rollout, { State: "paused", Message: "rollout paused" }, on);
    }
    case "resume":
      return goesOn(service, resumed(rest, on), "rollout resumed", on);
    case "promote":
      return goesOn(service, promoted(service, resumed(rest, on), on), "rollout promoted", on);
  }
}

/**
 * A step without a time is over now. Tasks that are still to start get their whole time again. The time of a pause does
 * not count for a step, nor for its deadline.
 */
function resumed({ paused, ...rollout }: Rollout, { atMs }: Pick<Occasion, "atMs">): Rollout {
  if (paused === undefined) return rollout;
  if (paused.by === "step") return { ...rollout, phase: "passed", sinceMs: atMs };
  if (rollout.phase === "starting") return { ...rollout, sinceMs: atMs };
  const pausedMs = Math.max(0, atMs - paused.atMs);
  return { ...rollout, sinceMs: rollout.sinceMs + pausedMs };
}

/** The last step begins; if it has begun, the rollout is over. */
function promoted({ Spec }: Service, rollout: Rollout, { atMs }: Pick<Occasion, "atMs">): Rollout {
  const last = (rolloutOf(Spec)?.steps.length ?? 1) - 1;
  if (rollout.step < last) return { ...rollout, step: last, phase: "starting", sinceMs: atMs };
  return rollout.phase === "starting" ? rollout : { ...rollout, phase: "passed", sinceMs: atMs };
}

function goesOn(
  service: Service,
  rollout: Rollout,
  Message: string,
  on: Pick<Occasion, "at">,
): Service {
  return withRollout(service, rollout, { State: "updating", Message }, on);
}

function withRollout(
  service: Service,
  rollout: Rollout,
  said: Pick<UpdateStatus, "State" | "Message">,
  { at }: Pick<Occasion, "at">,
): Service {
  const StartedAt = service.UpdateStatus?.StartedAt ?? at;
  return {
    ...service,
    UpdatedAt: at,
    UpdateStatus: { ...said, StartedAt },
    Gam: { ...service.Gam, rollout },
  };
}

/** Returns: the service after the leader's plan. Void for a service or a rollout that changed since. */
export function rolledOut(
  service: Service,
  {
    basedOn,
    rollout,
    status,
    updated,
  }: {
    readonly basedOn: number;
    readonly rollout: Rollout;
    readonly status: UpdateStatus;
    readonly updated: readonly string[];
  },
  { at }: Pick<Occasion, "at">,
): Service {
  const open = openRollout(service);
  if (service.Version.Index !== basedOn || open === undefined) return service;
  if (open.serial !== rollout.serial || open.version !== rollout.version) return service;
  const next = { ...rollout, serial: open.serial + 1 };
  const Gam = { ...service.Gam, rollout: next, updated };
  return { ...service, UpdatedAt: at, UpdateStatus: status, Gam };
}
