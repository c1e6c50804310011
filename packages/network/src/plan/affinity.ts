/**
 * Affinity: assigns a backend to each of 256 hash values of a client's address.
 *
 * It takes the highest weight of slot and task (rendezvous hashing). When a task leaves, only its own clients
 * move. A new task gets an even share from all others, and every node gets the same result.
 *
 * Source: Thaler, Ravishankar, "Using name-based mappings to increase hit rates", 1998.
 */
import { assert } from "@gam/core";
import { hashOf } from "./subnet.ts";

const affinitySlots = 256;

/** The address for each slot. Needs at least one backend; ids must be unique. */
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
    assert(best !== undefined, "affinity needs at least one backend");
    return best.address;
  });
}

/** MurmurHash3's last step: every input bit changes about half of the output bits. 32 bits, not negative. */
function mix(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
