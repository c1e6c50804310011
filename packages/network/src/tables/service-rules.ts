/** Service rules: how a connection to a service gets one of its tasks, the same on every host and in every container. */
import type { ServicePlane } from "../plan/node-plan.ts";

/** Every node must come to the same slot for a client. */
const affinitySeed = "0x67616d";
/**
 * How long a connection to a service is remembered that has ended, in seconds. The kernel's default is
 * two minutes, in which a client comes round to the same port again; and when a container stops, the
 * Docker engine forgets all that is remembered of it, by address and port: the new one that has the
 * same port by then is cut.
 */
const endedSeconds = 1;
const policyName = "brief";

/** For the first packet of a connection: before it is translated, or instead. */
export const briefly = `ct timeout set "${policyName}"`;
/** The policy that `briefly` names: what lasts of a table. */
export const briefPolicy = new Map<string, readonly string[]>([
  [
    `ct timeout ${policyName}`,
    ["protocol tcp", "l3proto ip", `policy = { time_wait : ${endedSeconds} }`],
  ],
]);

export const serviceChain = ({ key }: ServicePlane): string => `service_${key}`;

/** Chains by name: none of a service without tasks. `before`: the rules' other statements, if any. */
export function chainOfService(service: ServicePlane, ...before: string[]): [string, string[]][] {
  if (service.backends.length === 0) return [];
  const targets = targetsOf(service.backends, service.affinity);
  return [
    [serviceChain(service), targets.map((target) => [...before, `dnat to ${target}`].join(" "))],
  ];
}

/**
 * What connections are sent to, one rule for each. At least one backend.
 *
 * The first rule has the choice. The kernel takes the map of a rule that is replaced away a moment before the
 * rule: a connection of that moment finds no choice there, and is not to be refused for it. The second rule has
 * no map. Source: measured, docs/decisions/0008.
 */
export function targetsOf(
  backends: readonly string[],
  affinity: readonly string[] | undefined,
): string[] {
  const [first = ""] = backends;
  return backends.length === 1 ? [first] : [choiceOf(affinity ?? backends, affinity), first];
}

function choiceOf(slots: readonly string[], affinity: readonly string[] | undefined): string {
  const map = slots.map((address, slot) => `${slot} : ${address}`).join(", ");
  if (affinity === undefined) return `numgen random mod ${slots.length} map { ${map} }`;
  return `jhash ip saddr mod ${slots.length} seed ${affinitySeed} map { ${map} }`;
}
