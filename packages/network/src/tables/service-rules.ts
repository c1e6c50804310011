/**
 * Service rules: send a connection to one of a service's tasks, in the same way on every host and in every
 * container.
 */
import type { ServicePlane } from "../plan/node-plan.ts";

type Choice = Pick<ServicePlane, "backends" | "parts" | "affinity">;

/** Fixed, so that every node gets the same slot for a client. */
const affinitySeed = "0x67616d";
/**
 * How long conntrack keeps an ended connection to a service, in seconds. With the kernel's default of two minutes,
 * a client uses the same port again within that time. And when a container stops, the Docker engine deletes its
 * conntrack entries by address and port, which would cut a new connection with the same port.
 */
const endedSeconds = 1;
const policyName = "brief";

/** A statement for the first packet of a connection, before a translation or without one. */
export const briefly = `ct timeout set "${policyName}"`;
/** The policy that `briefly` names, for the `lasting` of a table. */
export const briefPolicy = new Map<string, readonly string[]>([
  [
    `ct timeout ${policyName}`,
    ["protocol tcp", "l3proto ip", `policy = { time_wait : ${endedSeconds} }`],
  ],
]);

export const serviceChain = ({ key }: ServicePlane): string => `service_${key}`;

/** Chains by name; none for a service without backends. `before`: statements to put before each rule's target. */
export function chainOfService(service: ServicePlane, ...before: string[]): [string, string[]][] {
  if (service.backends.length === 0) return [];
  const targets = targetsOf(service);
  return [
    [serviceChain(service), targets.map((target) => [...before, `dnat to ${target}`].join(" "))],
  ];
}

/**
 * The targets of connections, one rule for each. Needs at least one backend.
 *
 * The first rule chooses by a map. When the kernel replaces a rule, it removes the rule's map a moment before the
 * rule. A connection in that moment finds no entry, so a second rule without a map catches it.
 * Source: measured, docs/decisions/0008.
 */
export function targetsOf({ backends, parts, affinity }: Choice): string[] {
  const [first = ""] = backends;
  if (backends.length === 1) return [first];
  if (affinity !== undefined) {
    return [`jhash ip saddr mod ${affinity.length} seed ${affinitySeed} ${mapOf(affinity)}`, first];
  }
  if (parts === undefined)
    return [`numgen random mod ${backends.length} ${mapOf(backends)}`, first];
  const total = parts.reduce((sum, part) => sum + part, 0);
  return [`numgen random mod ${total} ${mapOfParts(backends, parts)}`, first];
}

function mapOf(slots: readonly string[]): string {
  return `map { ${slots.map((address, slot) => `${slot} : ${address}`).join(", ")} }`;
}

/** Each address has a range of numbers, so the map is no larger than one without parts. */
function mapOfParts(addresses: readonly string[], parts: readonly number[]): string {
  let next = 0;
  const ranges = addresses.flatMap((address, at) => {
    const from = next;
    next += parts[at] ?? 0;
    if (next === from) return [];
    return [`${from}${next - 1 === from ? "" : `-${next - 1}`} : ${address}`];
  });
  return `map { ${ranges.join(", ")} }`;
}
