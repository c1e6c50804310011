import { type Network, predefinedNetworks } from "@gam/state";
import { find } from "../request/reference.ts";
import { networkNaming } from "./network-answer.ts";

/**
 * Returns: the cluster's network for a reference, if there is one. With `swarmOnly` this includes the
 * predefined ones.
 *
 * The engine's ids are hexadecimal and may begin like one of ours. So without `swarmOnly` only whole names,
 * whole ids and beginnings that cannot be the engine's count.
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
