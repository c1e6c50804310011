import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { affinityOf } from "./affinity.ts";

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
