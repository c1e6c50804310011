import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import fc from "fast-check";
import type { Configuration } from "./configuration.ts";
import { agreed, electorate, majority, outcomeOf, reachedByQuorum } from "./quorum.ts";

const names = ["a", "b", "c", "d", "e", "f", "g"] as NodeId[];
const someNames = fc.subarray(names, { minLength: 1 });
const configurations: fc.Arbitrary<Configuration> = fc.record({
  voters: someNames,
  votersOutgoing: fc.oneof(fc.constant<NodeId[]>([]), someNames),
  learners: fc.subarray(names),
  standbys: fc.subarray(names),
});

for (const [voters, want] of [
  [1, 1],
  [2, 2],
  [3, 2],
  [4, 3],
  [5, 3],
] as const) {
  test(`majority() of ${voters} is ${want}`, () => assert.equal(majority(voters), want));
}

test("any two quorums of one configuration share a voter", () => {
  fc.assert(
    fc.property(configurations, fc.subarray(names), (configuration, yes) => {
      const groups = electorate(configuration);
      const both =
        agreed(groups, (id) => yes.includes(id)) && agreed(groups, (id) => !yes.includes(id));
      assert.equal(both, false);
    }),
  );
});

test("quorums before, during and after a change of voters share a voter", () => {
  fc.assert(
    fc.property(someNames, someNames, fc.subarray(names), (before, after, yes) => {
      const old = electorate({ voters: before, votersOutgoing: [], learners: [], standbys: [] });
      const joint = electorate({
        voters: after,
        votersOutgoing: before,
        learners: [],
        standbys: [],
      });
      const next = electorate({ voters: after, votersOutgoing: [], learners: [], standbys: [] });
      const has = (id: NodeId): boolean => yes.includes(id);
      const lacks = (id: NodeId): boolean => !yes.includes(id);
      assert.equal(agreed(joint, has) && agreed(old, lacks), false);
      assert.equal(agreed(joint, has) && agreed(next, lacks), false);
    }),
  );
});

test("reachedByQuorum() is the largest number on which a quorum agrees", () => {
  const reached = fc.array(fc.nat(9), { minLength: 7, maxLength: 7 });
  fc.assert(
    fc.property(configurations, reached, (configuration, numbers) => {
      const groups = electorate(configuration);
      const of = (id: NodeId): number => numbers[names.indexOf(id)] ?? 0;
      let want = 0;
      for (let n = 0; n <= 9; n += 1) if (agreed(groups, (id) => of(id) >= n)) want = n;
      assert.equal(reachedByQuorum(groups, of), want);
    }),
  );
});

test("outcomeOf() is lost exactly when no completion of the votes wins", () => {
  const votes = fc.array(fc.constantFrom(true, false, undefined), { minLength: 7, maxLength: 7 });
  fc.assert(
    fc.property(configurations, votes, (configuration, cast) => {
      const groups = electorate(configuration);
      const known = new Map(
        names.flatMap((id, at) => {
          const vote = cast[at];
          return vote === undefined ? [] : [[id, vote] as const];
        }),
      );
      const allYes = new Map(names.map((id) => [id, known.get(id) ?? true]));
      const won = agreed(groups, (id) => known.get(id) === true);
      const canWin = agreed(groups, (id) => allYes.get(id) === true);
      assert.equal(outcomeOf(groups, known), won ? "won" : canWin ? "open" : "lost");
    }),
  );
});

test("without voters there is no agreement", () => {
  const groups = electorate({
    voters: [],
    votersOutgoing: [],
    learners: ["a" as NodeId],
    standbys: [],
  });
  assert.equal(
    agreed(groups, () => true),
    false,
  );
  assert.equal(
    reachedByQuorum(groups, () => 5),
    0,
  );
});
