import { type Network, predefinedNetworks } from "@gam/state";
import { find } from "../request/reference.ts";
import { networkNaming } from "./network-answer.ts";

/**
 * The cluster's network that a reference means, if it means one. With `swarmOnly` the predefined ones
 * count as well.
 *
 * An id of the engine's is hexadecimal, and so might begin like one of ours: without `swarmOnly` only
 * whole names, whole ids and beginnings that cannot be the engine's count.
 */
export function findNetwork(
  ref: string,
  ours: readonly Network[],
  swarmOnly = false,
): Network | undefined {
  const known = swarmOnly ? [...ours, ...predefinedNetworks] : ours;
  if (swarmOnly || ref.length >= 12) return find(ref, known, networkNaming);
  const whole = known.find((network) => network.Id === ref || network.Name === ref);
  if (whole !== undefined || /^[0-9a-f]+$/.test(ref)) return whole;
  return find(ref, known, networkNaming);
}
