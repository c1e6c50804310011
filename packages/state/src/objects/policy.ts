/**
 * Policy: which services may have power over their hosts.
 *
 * The operator names services for each power. Only shapes: derived/policy-problem.ts compares specs with it.
 */

/**
 * privileged       all of the host's rights, and unmasked system paths
 * devices          devices of the host, except reserved GPUs
 * host-namespaces  the host's processes, shared memory, name, user ids or control groups
 * host-network     the host's network
 * host-paths       directories of the host
 */
export const powers = [
  "privileged",
  "devices",
  "host-namespaces",
  "host-network",
  "host-paths",
] as const;
export type Power = (typeof powers)[number];

/** For each power: names of services, in which "*" stands for any letters. Absent: `policyDefault`. */
export type Policy = { readonly [Name in Power]?: readonly string[] };

/** As Swarm, whose services can have the last two and no others. */
const policyDefault: Required<Policy> = {
  privileged: [],
  devices: [],
  "host-namespaces": [],
  "host-network": ["*"],
  "host-paths": ["*"],
};

/** A pattern of names of services. */
export const patternForm = /^[a-zA-Z0-9_.*-]{1,128}$/;
export const patternsMax = 256;

/** Returns: the names that may have the power. */
export function allowed(policy: Policy | undefined, power: Power): readonly string[] {
  return policy?.[power] ?? policyDefault[power];
}
