import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import type { Labels, Node } from "@gam/state";
import { aNode, TestLog } from "@gam/state/testing";
import fc from "fast-check";
import { planVoters, type Voting } from "./voters.ts";

/** Letters are managers; `w…` are workers; `x@z` is x in zone z. */
function nodesOf(names: readonly string[]): readonly Node[] {
  const log = new TestLog();
  for (const name of names) {
    const [id = "", zone] = name.split("@");
    const Labels: Labels = zone === undefined ? {} : { "gam.zone": zone };
    const Role = id.startsWith("w") ? "worker" : "manager";
    log.write({ kind: "joinNode", node: aNode(id, { spec: { Labels, Role } }) });
  }
  return log.store.nodes();
}

interface Case {
  readonly nodes: string;
  readonly voters: string;
  readonly dead?: string;
  /** Learners that have not caught up. */
  readonly behind?: string;
  readonly votersMax?: number;
  /** The voters proposed, `undefined` for no change of them. */
  readonly want: string | undefined;
}

function list(text: string | undefined): NodeId[] {
  return (text ?? "").split(" ").filter((one) => one !== "") as NodeId[];
}

function plan(
  { nodes, voters, dead, behind, votersMax = 5 }: Omit<Case, "want">,
  self = "a" as NodeId,
) {
  const members = nodesOf(list(nodes));
  const configuration: Voting = {
    voters: list(voters),
    votersOutgoing: [],
    learners: members
      .map(({ ID }) => ID)
      .filter((id) => !list(voters).includes(id))
      .sort(),
  };
  return planVoters({
    configuration,
    self,
    nodes: members,
    alive: (id) => !list(dead).includes(id),
    caughtUp: (id) => !list(behind).includes(id) && !list(dead).includes(id),
    votersMax,
  });
}

const cases: readonly (Case & { name: string })[] = [
  { name: "one host votes alone", nodes: "a", voters: "a", want: undefined },
  { name: "a second host is a standby", nodes: "a b", voters: "a", want: undefined },
  { name: "three hosts all vote", nodes: "a b c", voters: "a", want: "a b c" },
  {
    name: "who has not caught up does not",
    nodes: "a b c",
    voters: "a",
    behind: "c",
    want: undefined,
  },
  {
    name: "seven hosts have five voters",
    nodes: "a b c d e f g",
    voters: "a b c",
    want: "a b c d e",
  },
  {
    name: "an option bounds them",
    nodes: "a b c d e f g",
    voters: "a b c",
    votersMax: 4,
    want: undefined,
  },
  { name: "workers never vote", nodes: "a b w1 w2", voters: "a", want: undefined },
  { name: "a dead voter is replaced", nodes: "a b c d", voters: "a b c", dead: "c", want: "a b d" },
  {
    name: "a dead voter keeps its place until a learner has caught up",
    nodes: "a b c d",
    voters: "a b c",
    dead: "c",
    behind: "d",
    want: undefined,
  },
  {
    name: "two hosts left: the leader alone",
    nodes: "a b c",
    voters: "a b c",
    dead: "c",
    want: "a",
  },
  {
    name: "five voters and four hosts: three",
    nodes: "a b c d e",
    voters: "a b c d e",
    dead: "e",
    want: "a b c",
  },
  {
    name: "five voters stay when a host that does not vote comes and goes",
    nodes: "a b c d e f g",
    voters: "a b c d e",
    dead: "g",
    want: undefined,
  },
  { name: "a removed voter leaves", nodes: "a b d", voters: "a b c", want: "a b d" },
  {
    name: "a voter that became a worker leaves",
    nodes: "a b d w1",
    voters: "a b w1",
    want: "a b d",
  },
  {
    name: "new voters come from other zones",
    nodes: "a@x b@x c@x d@y e@z",
    voters: "a",
    want: "a d e",
  },
  {
    name: "those that vote already stay whatever their zone",
    nodes: "a@x b@x c@x d@y e@z",
    voters: "a b c",
    want: undefined,
  },
];

for (const { name, want, ...input } of cases) {
  test(`planVoters(): ${name}`, () => {
    const plan1 = plan(input);
    assert.equal(plan1?.voters.join(" "), want);
    if (plan1 === undefined) return;
    const members = nodesOf(list(input.nodes)).map(({ ID }) => ID);
    assert.deepEqual([...plan1.voters, ...plan1.learners].sort(), members.sort());
  });
}

test("planVoters() waits while a change is under way", () => {
  const nodes = nodesOf(["a", "b", "c"]);
  const configuration = { voters: list("a b"), votersOutgoing: list("a"), learners: [] };
  const always = (): boolean => true;
  const facts = { configuration, self: "a" as NodeId, nodes, votersMax: 5 };
  assert.equal(planVoters({ ...facts, alive: always, caughtUp: always }), undefined);
});

const names = "abcdefghi".split("");
const worlds = fc.record({
  nodes: fc.subarray(names.slice(1), { minLength: 0 }),
  voters: fc.subarray(names, { minLength: 1 }),
  dead: fc.subarray(names.slice(1)),
  behind: fc.subarray(names.slice(1)),
  zones: fc.array(fc.constantFrom("x", "y", "z"), { minLength: 9, maxLength: 9 }),
});

test("planVoters() never proposes what its own quorum could not carry, and comes to rest", () => {
  fc.assert(
    fc.property(worlds, ({ nodes, voters, dead, behind, zones }) => {
      const members = nodesOf(["a", ...nodes].map((id, n) => `${id}@${zones[n]}`));
      const facts = {
        self: "a" as NodeId,
        nodes: members,
        alive: (id: NodeId) => !dead.includes(id),
        caughtUp: (id: NodeId) => !behind.includes(id) && !dead.includes(id),
        votersMax: 5,
      };
      let configuration: Voting = {
        voters: [...new Set(["a", ...voters])].sort() as NodeId[],
        votersOutgoing: [],
        learners: [],
      };
      let steps = 0;
      for (let next = planVoters({ configuration, ...facts }); next !== undefined; steps += 1) {
        assert.ok(steps < 3, "comes to rest");
        assert.ok(next.voters.length % 2 === 1 && next.voters.length <= 5);
        assert.ok(next.voters.includes(facts.self), "the leader stays");
        const answering = next.voters.filter((id) => facts.alive(id)).length;
        assert.ok(answering > next.voters.length / 2, "a majority answers");
        for (const id of next.voters) {
          const known = configuration.voters.includes(id) || facts.caughtUp(id);
          assert.ok(known, `${id} has not caught up`);
        }
        configuration = { ...next, votersOutgoing: [] };
        next = planVoters({ configuration, ...facts });
      }
      const all = [...configuration.voters, ...configuration.learners].sort();
      assert.deepEqual(all, members.map(({ ID }) => ID).sort(), "members, and nobody else");
    }),
    { numRuns: 500 },
  );
});

test("planVoters() carries a mesh that loses its hosts one after the other", () => {
  for (let size = 2; size <= 9; size += 1) {
    const all = names.slice(0, size) as NodeId[];
    let voters = all.slice(0, 1);
    const alive = new Set(all);
    for (let round = 0; alive.size > 1; round += 1) {
      // The leader is lost every other time; another voter takes over.
      const [leader = "a" as NodeId] = voters.filter((id) => alive.has(id));
      const facts = {
        self: leader,
        nodes: nodesOf(all),
        alive: (id: NodeId) => alive.has(id),
        caughtUp: (id: NodeId) => alive.has(id),
        votersMax: 5,
      };
      for (let step = 0; step < 3; step += 1) {
        const configuration = { voters, votersOutgoing: [], learners: [] };
        voters = [...(planVoters({ configuration, ...facts })?.voters ?? voters)];
      }
      if (voters.length === 1 && alive.size === 2) break;
      const lost = voters.filter((id) => (id === leader) === (round % 2 === 0))[0] ?? voters[0];
      alive.delete(lost as NodeId);
      const left = voters.filter((id) => alive.has(id)).length;
      assert.ok(left > voters.length / 2, `${size} hosts: quorum lost with ${alive.size} left`);
    }
    assert.ok(alive.size <= 2, `${size} hosts: down to two`);
  }
});
