import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import type { Labels, Node } from "@gam/state";
import { aNode, TestLog } from "@gam/state/testing";
import fc from "fast-check";
import { planVoters, type Seats, type VotersFacts, type Voting } from "./voters.ts";

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
  /** Silent, and not for long. */
  readonly dead?: string;
  /** Silent for longer than a vote is kept. */
  readonly gone?: string;
  /** They answer, and have not caught up. */
  readonly behind?: string;
  readonly votersMax?: number;
  /** The voters proposed, `undefined` for no change of them. */
  readonly want: string | undefined;
  readonly standbys?: string;
}

function list(text: string | undefined): NodeId[] {
  return (text ?? "").split(" ").filter((one) => one !== "") as NodeId[];
}

type Absent = Pick<Case, "dead" | "gone" | "behind">;

function presence({
  dead,
  gone,
  behind,
}: Absent): Pick<VotersFacts, "answers" | "fit" | "keepsVote"> {
  const answers = (id: NodeId): boolean => !list(dead).includes(id) && !list(gone).includes(id);
  return {
    answers,
    fit: (id) => answers(id) && !list(behind).includes(id),
    keepsVote: (id) => !list(gone).includes(id),
  };
}

function plan({ nodes, voters, standbys, votersMax = 5, ...absent }: Omit<Case, "want">) {
  const members = nodesOf(list(nodes));
  const configuration: Voting = {
    voters: list(voters),
    votersOutgoing: [],
    learners: members
      .map(({ ID }) => ID)
      .filter((id) => !list(voters).includes(id))
      .sort(),
    standbys: list(standbys),
  };
  const self = "a" as NodeId;
  return planVoters({ configuration, self, nodes: members, votersMax, ...presence(absent) });
}

const cases: readonly (Case & { name: string })[] = [
  { name: "one host votes alone", nodes: "a", voters: "a", want: undefined },
  { name: "of two hosts one votes", nodes: "a b", voters: "a", standbys: "b", want: undefined },
  { name: "three hosts all vote", nodes: "a b c", voters: "a", want: "a b c" },
  {
    name: "a host that has not caught up does not vote",
    nodes: "a b c",
    voters: "a",
    standbys: "b",
    behind: "c",
    want: undefined,
  },
  { name: "four hosts have three voters", nodes: "a b c d", voters: "a b c", want: undefined },
  { name: "five hosts have five", nodes: "a b c d e", voters: "a b c", want: "a b c d e" },
  {
    name: "four of five that have caught up stay three until the fifth has",
    nodes: "a b c d e",
    voters: "a b c",
    behind: "e",
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
  { name: "workers never vote", nodes: "a b w1 w2", voters: "a", standbys: "b", want: undefined },
  {
    name: "a silent voter is replaced at once where another has caught up",
    nodes: "a b c d",
    voters: "a b c",
    dead: "c",
    want: "a b d",
  },
  {
    name: "a silent voter keeps its vote until a learner has caught up",
    nodes: "a b c d",
    voters: "a b c",
    dead: "c",
    behind: "d",
    want: undefined,
  },
  {
    name: "even a voter that is gone for long keeps its vote",
    nodes: "a b c d",
    voters: "a b c",
    gone: "c",
    behind: "d",
    want: undefined,
  },
  {
    name: "of three voters one is silent: nobody loses a vote",
    nodes: "a b c",
    voters: "a b c",
    dead: "c",
    want: undefined,
  },
  {
    name: "one of three is gone for long: the leader alone, and a standby",
    nodes: "a b c",
    voters: "a b c",
    gone: "c",
    want: "a",
  },
  {
    name: "a voter that answers and is behind counts as silent",
    nodes: "a b c d",
    voters: "a b c",
    behind: "c",
    want: "a b d",
  },
  {
    name: "two of three are silent: nothing that could not be committed",
    nodes: "a b c d e",
    voters: "a b c",
    gone: "b c",
    want: undefined,
  },
  {
    name: "one of five is silent: nobody loses a vote",
    nodes: "a b c d e",
    voters: "a b c d e",
    dead: "e",
    want: undefined,
  },
  {
    name: "one of five is gone for long: three of the four",
    nodes: "a b c d e",
    voters: "a b c d e",
    gone: "e",
    want: "a b c",
  },
  {
    name: "two of five are silent: the three that answer, since two would be too few",
    nodes: "a b c d e",
    voters: "a b c d e",
    dead: "d e",
    want: "a b c",
  },
  {
    name: "two of five are silent and one stands by: four of the new five answer",
    nodes: "a b c d e f",
    voters: "a b c d e",
    dead: "d e",
    want: "a b c d f",
  },
  {
    name: "a set of three becomes five though one is silent",
    nodes: "a b c d e",
    voters: "a b c",
    dead: "c",
    want: "a b c d e",
  },
  {
    name: "five voters stay when a host that does not vote comes and goes",
    nodes: "a b c d e f g",
    voters: "a b c d e",
    gone: "g",
    want: undefined,
  },
  { name: "a removed voter leaves", nodes: "a b d", voters: "a b c", want: "a b d" },
  { name: "a removed voter leaves two at once", nodes: "a b", voters: "a b c", want: "a" },
  {
    name: "a removed voter leaves, and a silent voter with it",
    nodes: "a b",
    voters: "a b c",
    dead: "b",
    want: "a",
  },
  {
    name: "a voter that became a worker leaves",
    nodes: "a b d w1",
    voters: "a b w1",
    want: "a b d",
  },
  {
    name: "new voters come from other zones",
    nodes: "a@x b@x c@y d@z",
    voters: "a",
    want: "a c d",
  },
  {
    name: "those that vote already stay whatever their zone",
    nodes: "a@x b@x c@x d@y",
    voters: "a b c",
    want: undefined,
  },
];

for (const { name, want, ...input } of cases) {
  test(`planVoters(): ${name}`, () => {
    const planned = plan(input);
    assert.equal(planned?.voters.join(" "), want);
    if (planned === undefined) return;
    const members = nodesOf(list(input.nodes)).map(({ ID }) => ID);
    assert.deepEqual([...planned.voters, ...planned.learners].sort(), members.sort());
  });
}

const standing: readonly (Omit<Case, "want"> & { name: string; want: string })[] = [
  { name: "a manager that has caught up", nodes: "a b w1", voters: "a", want: "b" },
  { name: "not a manager that is behind", nodes: "a b", voters: "a", behind: "b", want: "" },
  { name: "not a manager that was never heard", nodes: "a b", voters: "a", dead: "b", want: "" },
  { name: "a silent standby", nodes: "a b", voters: "a", standbys: "b", gone: "b", want: "b" },
  {
    name: "not a manager that became a worker",
    nodes: "a w1",
    voters: "a",
    standbys: "w1",
    want: "",
  },
  { name: "voters, silent or not", nodes: "a b c", voters: "a b c", gone: "c", want: "b c" },
  {
    name: "a former voter, even if it is behind",
    nodes: "a b",
    voters: "a b c",
    behind: "b",
    want: "b",
  },
  { name: "nobody while three vote", nodes: "a b c d", voters: "a", want: "" },
  {
    name: "all where an option lets one vote",
    nodes: "a b c",
    voters: "a",
    votersMax: 1,
    want: "b c",
  },
];

for (const { name, want, ...input } of standing) {
  test(`planVoters() lets stand by: ${name}`, () => {
    const standbys = plan(input)?.standbys ?? list(input.standbys);
    assert.deepEqual(standbys, list(want));
  });
}

test("planVoters() waits while a change is under way", () => {
  const nodes = nodesOf(["a", "b", "c"]);
  const configuration = { ...settled(list("a b")), votersOutgoing: list("a") };
  const facts = { configuration, self: "a" as NodeId, nodes, votersMax: 5 };
  assert.equal(planVoters({ ...facts, ...presence({}) }), undefined);
});

function settled(voters: readonly NodeId[]): Voting {
  return { voters, votersOutgoing: [], learners: [], standbys: [] };
}

const names = "abcdefghi".split("");
const worlds = fc.record({
  nodes: fc.subarray(names.slice(1), { minLength: 0 }),
  voters: fc.subarray(names, { minLength: 1 }),
  dead: fc.subarray(names.slice(1)),
  gone: fc.subarray(names.slice(1)),
  behind: fc.subarray(names.slice(1)),
  zones: fc.array(fc.constantFrom("x", "y", "z"), { minLength: 9, maxLength: 9 }),
});

test("planVoters() proposes sets with a quorum and two disks, and ends", () => {
  fc.assert(
    fc.property(worlds, ({ nodes, voters, dead, gone, behind, zones }) => {
      const members = nodesOf(["a", ...nodes].map((id, n) => `${id}@${zones[n]}`));
      const absent = { dead: dead.join(" "), gone: gone.join(" "), behind: behind.join(" ") };
      const facts = { self: "a" as NodeId, nodes: members, votersMax: 5, ...presence(absent) };
      let configuration = settled([...new Set(["a", ...voters])].sort() as NodeId[]);
      const before = configuration;
      let steps = 0;
      for (let next = planVoters({ configuration, ...facts }); next !== undefined; steps += 1) {
        assert.ok(steps < 3, "comes to rest");
        assert.ok(next.voters.length % 2 === 1 && next.voters.length <= 5);
        assert.ok(next.voters.includes(facts.self), "the leader stays");
        const answering = next.voters.filter((id) => facts.answers(id)).length;
        assert.ok(answering > next.voters.length / 2, "a majority answers");
        for (const id of next.voters) {
          const known = configuration.voters.includes(id) || facts.fit(id);
          assert.ok(known, `${id} has not caught up`);
        }
        isSafe(configuration.voters, next, facts);
        configuration = { ...next, votersOutgoing: [] };
        next = planVoters({ configuration, ...facts });
      }
      const carried = before.voters.filter((id) => facts.answers(id)).length;
      if (2 * carried <= before.voters.length) return;
      const all = [...configuration.voters, ...configuration.learners].sort();
      assert.deepEqual(all, members.map(({ ID }) => ID).sort(), "members, and nobody else");
    }),
    { numRuns: 1000 },
  );
});

/** What must hold for each step. */
function isSafe(before: readonly NodeId[], next: Seats, facts: Omit<VotersFacts, "configuration">) {
  const isMember = (id: NodeId): boolean => facts.nodes.some(({ ID }) => ID === id);
  const deposed = before.filter((id) => isMember(id) && !next.voters.includes(id));
  const forSilence = deposed.filter((id) => !facts.answers(id) && facts.keepsVote(id));
  const left = facts.nodes.filter(({ ID }) => facts.answers(ID) || facts.keepsVote(ID)).length;
  if (left >= 3 && before.length % 2 === 1 && before.every(isMember) && forSilence.length > 0) {
    const answering = next.voters.filter((id) => facts.answers(id));
    assert.ok(answering.length >= 3, `${forSilence} lose votes for silence, and ${answering} vote`);
  }
  if (next.voters.length > 1) return;
  const second = facts.nodes.map(({ ID }) => ID).filter((id) => id !== facts.self && facts.fit(id));
  for (const id of second) assert.ok(next.standbys.includes(id), `${id} stands by`);
}

/** The final voters and standbys after repeated plans. */
function rest(
  facts: Omit<VotersFacts, "configuration">,
  voters: readonly NodeId[],
): readonly NodeId[] {
  let configuration = settled(voters);
  for (let step = 0; step < 4; step += 1) {
    configuration = { ...configuration, ...planVoters({ configuration, ...facts }) };
  }
  return configuration.voters;
}

test("planVoters() keeps a mesh working that loses its hosts one by one, down to two", () => {
  for (let size = 3; size <= 9; size += 1) {
    const all = names.slice(0, size) as NodeId[];
    const nodes = nodesOf(all);
    const alive = new Set(all);
    const facts = (self: NodeId): Omit<VotersFacts, "configuration"> => {
      const dead = all.filter((id) => !alive.has(id)).join(" ");
      return { self, nodes, votersMax: 5, ...presence({ dead }) };
    };
    let voters = rest(facts("a" as NodeId), all.slice(0, 1));
    for (let round = 0; alive.size > 2; round += 1) {
      const [leader = "a" as NodeId] = voters.filter((id) => alive.has(id));
      // The leader is lost every other time; another voter takes over.
      const lost = voters.filter((id) => alive.has(id))[round % 2 === 0 ? 0 : 1] ?? leader;
      alive.delete(lost);
      const [next = leader] = voters.filter((id) => alive.has(id));
      const left = voters.filter((id) => alive.has(id)).length;
      assert.ok(left > voters.length / 2, `${size} hosts: quorum lost with ${alive.size} left`);
      voters = rest(facts(next), voters);
    }
  }
});

test("planVoters() lets any two hosts of five and more be lost in one moment", () => {
  for (let size = 5; size <= 7; size += 1) {
    const all = names.slice(0, size) as NodeId[];
    const nodes = nodesOf(all);
    const self = "a" as NodeId;
    const voters = rest({ self, nodes, votersMax: 5, ...presence({}) }, [self]);
    for (const one of all) {
      for (const other of all) {
        const left = voters.filter((id) => id !== one && id !== other).length;
        assert.ok(left > voters.length / 2, `${size} hosts without ${one} and ${other}`);
      }
    }
  }
});
