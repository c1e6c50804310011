import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Rollout } from "../../objects/rollouts/rollout.ts";
import type { Service } from "../../objects/service.ts";
import { aRollout, aTask } from "../../testing/objects.ts";
import { trafficShares } from "./traffic-shares.ts";

function sharesOf(change: Partial<Rollout> | undefined, versions: readonly number[]) {
  const tasks = versions.map((templateVersion, n) => {
    return aTask("web", `t${n}`, { extra: { templateVersion } });
  });
  const Gam = change === undefined ? {} : { rollout: aRollout({ version: 9, base: 5, ...change }) };
  const shares = trafficShares({ Gam } as unknown as Pick<Service, "Gam">, tasks);
  return shares && tasks.map(({ ID }) => shares.get(ID));
}

test("all tasks are equal without a rollout", () => {
  assert.equal(sharesOf(undefined, [5, 9]), undefined);
});

test("connections are divided exactly, whatever the number of tasks on each side", () => {
  const counts = fc.integer({ min: 1, max: 60 });
  const weights = fc.integer({ min: 0, max: 100 });
  fc.assert(
    fc.property(counts, counts, weights, (fresh, old, weight) => {
      const versions = [...Array<number>(fresh).fill(9), ...Array<number>(old).fill(5)];
      const shares = sharesOf({ weight }, versions) ?? [];
      const sum = (of: readonly (number | undefined)[]) =>
        of.reduce<number>((a, b = 0) => a + b, 0);
      assert.equal(100 * sum(shares.slice(0, fresh)), weight * sum(shares));
      assert.equal(new Set(shares.slice(0, fresh)).size, 1);
      assert.equal(new Set(shares.slice(fresh)).size, 1);
    }),
  );
});

test("a version without tasks gets nothing, and the other one all", () => {
  assert.equal(sharesOf({ weight: 10 }, [9, 9]), undefined);
  assert.equal(sharesOf({ weight: 90 }, [5, 4]), undefined);
});

test("the weight counts until the tasks of the version that goes have ended", () => {
  const end = { result: "rolled back", atMs: 0, reason: "" } as const;
  assert.deepEqual(sharesOf({ weight: 0, end }, [5, 9, 12]), [100, 0, 100]);
});
