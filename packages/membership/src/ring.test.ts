import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import fc from "fast-check";
import { Ring } from "./ring.ts";

const max = 4;
const memberships = fc
  .uniqueArray(fc.string({ minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 40 })
  .chain((names) =>
    fc.record({ ids: fc.constant(names as NodeId[]), live: fc.subarray(names as NodeId[]) }),
  );

test("every member has as many live watchers as there can be, and never itself", () => {
  fc.assert(
    fc.property(memberships, ({ ids, live }) => {
      const ring = new Ring(ids);
      const isLive = (id: NodeId): boolean => live.includes(id);
      for (const id of ids) {
        const watchers = ring.watchersOf(id, max, isLive);
        const others = live.filter((other) => other !== id).length;
        assert.equal(watchers.length, Math.min(max, others));
        assert.equal(new Set(watchers).size, watchers.length);
        assert.ok(watchers.every((other) => other !== id && isLive(other)));
      }
    }),
  );
});

test("among the live, watching is mutual, so nobody watches more than it is watched", () => {
  fc.assert(
    fc.property(memberships, ({ ids, live }) => {
      const ring = new Ring(ids);
      const isLive = (id: NodeId): boolean => live.includes(id);
      const watchers = new Map(live.map((id) => [id, ring.watchersOf(id, max, isLive)]));
      for (const [id, some] of watchers) {
        for (const other of some) assert.ok(watchers.get(other)?.includes(id));
      }
    }),
  );
});

test("watchers do not depend on the order of the list of members", () => {
  fc.assert(
    fc.property(memberships, ({ ids }) => {
      const [one, other] = [new Ring(ids), new Ring([...ids].reverse())];
      const all = (): boolean => true;
      for (const id of ids) {
        assert.deepEqual(one.watchersOf(id, max, all), other.watchersOf(id, max, all));
      }
    }),
  );
});

test("one loss gives new watchers to its neighbours only", () => {
  const ids = Array.from({ length: 50 }, (_, n) => `n${n}` as NodeId);
  const ring = new Ring(ids);
  const all = (): boolean => true;
  for (const lost of ids) {
    const changed = ids.filter((id) => {
      const before = ring.watchersOf(id, max, all);
      return id !== lost && before.join() !== ring.watchersOf(id, max, (x) => x !== lost).join();
    });
    assert.equal(changed.length, max);
  }
});
