/**
 * Affinity: assigns a backend to each of 256 hash values of a client's address.
 *
 * It takes the highest weight of slot and task (rendezvous hashing). When a task leaves, only its own clients
 * move. A new task gets an even share from all others, and every node gets the same result. While two versions of a
 * service run, each has its part of the hash values.
 *
 * Source: Thaler, Ravishankar, "Using name-based mappings to increase hit rates", 1998.
 */
import { assert } from "@gam/core";
import { hashOf } from "./subnet.ts";

const affinitySlots = 256;
const spread = 0x9e3779b1;

interface Backend<Address> {
  readonly id: string;
  readonly address: Address;
}

/** The address for each slot. Needs at least one backend; ids must be unique. */
export function affinityOf<Address extends string>(
  backends: readonly Backend<Address>[],
): Address[] {
  const seeded = backends.map(({ id, address }) => ({ id, address, seed: hashOf(id) }));
  return Array.from({ length: affinitySlots }, (_, slot) => {
    let best: (typeof seeded)[number] | undefined;
    let most = -1;
    for (const backend of seeded) {
      const weight = mix(backend.seed ^ Math.imul(slot + 1, spread));
      const tie = weight === most && best !== undefined && backend.id < best.id;
      if (weight > most || tie) {
        best = backend;
        most = weight;
      }
    }
    assert(best !== undefined, "affinity needs at least one backend");
    return best.address;
  });
}

/**
 * The address for each slot, where each group of backends gets its part of the slots.
 *
 * The slots have one order for ever, and groups take them from its start. So when the first group's weight grows, slots
 * only go over to it. Each slot has the backend that it would have if its group were alone.
 *
 * `seed`: of the order; each service has its own, so that not the same clients always come first.
 */
export function affinityOfGroups<Address extends string>(
  seed: string,
  groups: readonly { readonly weight: number; readonly backends: readonly Backend<Address>[] }[],
): Address[] {
  const base = hashOf(seed);
  const order = Array.from({ length: affinitySlots }, (_, slot) => slot).sort((a, b) => {
    const [first, second] = [a, b].map((slot) => mix(base ^ Math.imul(slot + 1, spread)));
    return (first ?? 0) - (second ?? 0) || a - b;
  });
  const total = groups.reduce((sum, { weight }) => sum + weight, 0);
  const slots: Address[] = [];
  let reached = 0;
  let taken = 0;
  for (const { weight, backends } of groups) {
    reached += weight;
    const end = Math.round((affinitySlots * reached) / total);
    const own = end === taken ? [] : affinityOf(backends);
    for (const slot of order.slice(taken, end)) slots[slot] = own[slot] as Address;
    taken = end;
  }
  assert(taken === affinitySlots, "some group has a weight");
  return slots;
}

/** MurmurHash3's last step: every input bit changes about half of the output bits. 32 bits, not negative. */
function mix(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
