/** A rest ends exactly at the tick with the first effect. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import { seededRandom } from "@gam/core/testing";
import type { Effect } from "./effect.ts";
import { bootstrap } from "./log/durable.ts";
import { Raft } from "./raft.ts";

const [a, b] = ["a", "b"] as NodeId[] as [NodeId, NodeId];
const timing = { heartbeatTicks: 3, electionTicksMin: 24, electionTicksMax: 40 };

/** Performs what goes to the disk at once. */
function tick(raft: Raft): Effect[] {
  const effects = raft.step({ kind: "tick" });
  for (let at = 0; at < effects.length; at += 1) {
    const effect = effects[at];
    if (effect?.kind === "persist")
      effects.push(...raft.step({ kind: "persisted", write: effect.write }));
  }
  return effects;
}

/** Returns: the effects of the last tick of a rest. Fails if an earlier one had some. */
function rest(raft: Raft): readonly Effect[] {
  const { restTicks } = raft;
  for (let left = restTicks; left > 1; left -= 1) {
    assert.deepEqual(tick(raft), [], `${left - 1} ticks before the end of a rest of ${restTicks}`);
  }
  return tick(raft);
}

test("a follower that no longer hears its leader rests until its election timeout", () => {
  for (let seed = 1; seed <= 50; seed += 1) {
    const raft = new Raft({ self: a, ...timing }, bootstrap(b), seededRandom(seed));
    tick(raft);
    raft.step({
      kind: "received",
      from: b,
      message: { kind: "heartbeat", term: 2, index: 0, indexTerm: 0, round: 1 },
    });
    assert.equal(raft.leader, b);
    const { restTicks } = raft;
    assert.ok(restTicks >= timing.electionTicksMin && restTicks < timing.electionTicksMax);
    assert.ok(
      rest(raft).some(({ kind }) => kind === "role"),
      `seed ${seed}`,
    );
    assert.equal(raft.leader, undefined);
  }
});

test("a leader rests from one heartbeat to the next", () => {
  const raft = new Raft({ self: a, ...timing }, bootstrap(a), seededRandom(1));
  while (raft.role !== "leader") tick(raft);
  tick(raft);
  raft.step({ kind: "reconfigure", voters: [a], learners: [b], standbys: [] });
  while (
    !rest(raft).some((effect) => effect.kind === "send" && effect.message.kind === "heartbeat")
  );
  for (let beats = 0; beats < 10; beats += 1) {
    assert.equal(raft.restTicks, timing.heartbeatTicks);
    const kinds = rest(raft).map((effect) => effect.kind === "send" && effect.message.kind);
    assert.deepEqual(kinds, ["heartbeat"]);
  }
});

test("a peer that waits for a read does not rest", () => {
  const raft = new Raft({ self: a, ...timing }, bootstrap(b), seededRandom(1));
  tick(raft);
  const message = { kind: "heartbeat", term: 2, index: 0, indexTerm: 0, round: 1 } as const;
  raft.step({ kind: "received", from: b, message });
  assert.ok(raft.restTicks > 1);
  raft.step({ kind: "read", id: "x" });
  assert.equal(raft.restTicks, 1);
});
