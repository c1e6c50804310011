import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { affinityOf, affinityOfGroups } from "./affinity.ts";

const backends = fc
  .uniqueArray(fc.string({ minLength: 1 }), { minLength: 2, maxLength: 12 })
  .map((ids) => ids.map((id, index) => ({ id, address: `10.0.0.${index + 1}` })));

test("a backend that leaves takes only its own clients along", () => {
  fc.assert(
    fc.property(backends, (before) => {
      const gone = before[0]?.address;
      const was = affinityOf(before);
      const is = affinityOf(before.slice(1));
      for (const [slot, address] of was.entries()) {
        assert.ok(address === gone || is[slot] === address, `slot ${slot} moved`);
      }
    }),
  );
});

test("the order of backends has no effect", () => {
  fc.assert(
    fc.property(backends, (some) => {
      assert.deepEqual(affinityOf([...some].reverse()), affinityOf(some));
    }),
  );
});

test("all backends get their share of the slots", () => {
  const some = Array.from({ length: 8 }, (_, n) => ({ id: `task${n}`, address: `10.0.0.${n}` }));
  const slots = affinityOf(some);
  for (const { address } of some) {
    const share = slots.filter((one) => one === address).length;
    assert.ok(share >= 16 && share <= 52, `${address} has ${share} of 256`);
  }
});

const groupOf = (name: string, weight: number, count: number) => ({
  weight,
  backends: Array.from({ length: count }, (_, n) => ({
    id: `${name}${n}`,
    address: `${name}${n}`,
  })),
});

test("a group of backends gets the slots of its weight, and a growing one only takes over", () => {
  const sizes = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }));
  const weights = fc.uniqueArray(fc.integer({ min: 0, max: 100 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(fc.string(), sizes, weights, (seed, [fresh, old], rising) => {
      const alone = affinityOf(groupOf("old", 1, old).backends);
      let before = alone;
      for (const weight of [...rising].sort((a, b) => a - b)) {
        const slots = affinityOfGroups(seed, [
          groupOf("new", weight, fresh),
          groupOf("old", 100 - weight, old),
        ]);
        const isNew = (slot: number): boolean => slots[slot]?.startsWith("new") ?? false;
        const found = slots.filter((_, slot) => isNew(slot)).length;
        assert.equal(found, Math.round((256 * weight) / 100));
        for (const [slot, address] of before.entries()) {
          assert.ok(slots[slot] === address || isNew(slot), `slot ${slot} went back or elsewhere`);
        }
        before = slots;
      }
    }),
  );
});
