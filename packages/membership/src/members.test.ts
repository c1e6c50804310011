/** A list of members changes the watchers; the same list again changes nothing. */
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import type { NodeId } from "@gam/core";
import fc from "fast-check";
import { defaultConfig } from "./config.ts";
import { Membership } from "./membership.ts";
import { Ring } from "./ring.ts";

const self = "self" as NodeId;
const names = Array.from({ length: 12 }, (_, n) => `n${n}` as NodeId);
const lists = fc
  .subarray(names)
  .chain((others) =>
    fc.record({ ids: fc.constant([self, ...others]), workers: fc.subarray(others) }),
  );

test("the peers that a peer watches depend on the last list only", () => {
  fc.assert(
    fc.property(fc.array(lists, { minLength: 1, maxLength: 4 }), (told) => {
      const grown = new Membership({ ...defaultConfig, self });
      for (const list of told) grown.step({ kind: "members", ...list });
      const fresh = new Membership({ ...defaultConfig, self });
      const last = told.at(-1) as (typeof told)[number];
      fresh.step({ kind: "members", ...last });
      const others = last.ids.length - 1;
      assert.ok(grown.watched().length >= Math.min(defaultConfig.watchersMax, others));
      assert.deepEqual(grown.watched(), fresh.watched());
      assert.deepEqual(grown.table(), fresh.table());
    }),
  );
});

test("the same members in another order do not cause a new search for watchers", () => {
  const membership = new Membership({ ...defaultConfig, self });
  const [first, ...rest] = names as [NodeId, ...NodeId[]];
  const ids = [self, ...names];
  membership.step({ kind: "members", ids, workers: rest });
  const asked = mock.method(Ring.prototype, "watchersOf");
  try {
    membership.step({ kind: "members", ids: ids.toReversed(), workers: rest.toReversed() });
    assert.equal(asked.mock.callCount(), 0);
    membership.step({ kind: "members", ids, workers: [first, ...rest.slice(1)] });
    assert.ok(asked.mock.callCount() > 0, "other workers are a reason");
  } finally {
    asked.mock.restore();
  }
});
