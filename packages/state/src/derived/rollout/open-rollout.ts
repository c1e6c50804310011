import type { Rollout } from "../../objects/rollouts/rollout.ts";
import type { Service } from "../../objects/service.ts";

/** Returns: the rollout that is under way; undefined for none. */
export function openRollout({ Gam }: Pick<Service, "Gam">): Rollout | undefined {
  return Gam.rollout?.end === undefined ? Gam.rollout : undefined;
}
