/**
 * Affinity: which backend each of 256 hash values of a client's address goes to.
 *
 * By highest weight of slot and task (rendezvous hashing): a task that leaves takes only its own
 * clients with it, a task that comes gets an even share of everybody's, and every node comes to the same.
 *
 * Source: Thaler, Ravishankar, "Using name-based mappings to increase hit rates", 1998.
 */
import { assert } from "@gam/core";
import { hashOf } from "./subnet.ts";

const affinitySlots = 256;

/** The address for each slot. At least one backend; its ids are unique. */
export function affinityOf<Address extends string>(
  backends: readonly { readonly id: string; readonly address: Address }[],
): Address[] {
  const seeded = backends.map(({ id, address }) => ({ id, address, seed: hashOf(id) }));
  return Array.from({ length: affinitySlots }, (_, slot) => {
    let best: (typeof seeded)[number] | undefined;
    let most = -1;
    for (const backend of seeded) {
      const weight = mix(backend.seed ^ Math.imul(slot + 1, 0x9e3779b1));
      const tie = weight === most && best !== undefined && backend.id < best.id;
      if (weight > most || tie) {
        best = backend;
        most = weight;
      }
    }
    assert(best !== undefined, "somebody must be behind a service to choose from");
    return best.address;
  });
}

/** MurmurHash3's last step: every bit of the input moves half of the output's. 32 bits, not negative. */
function mix(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
