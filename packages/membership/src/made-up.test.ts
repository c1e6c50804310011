import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode, type NodeId } from "@gam/core";
import { testId } from "@gam/core/testing";
import { defaultConfig } from "./config.ts";
import { type Effect, Membership } from "./membership.ts";
import { checkMessage, checkRumour, counterMax, type Opinion, type Rumour } from "./message.ts";

const [a, b, c, d] = ["a", "b", "c", "d"].map((name) => testId<NodeId>(name)) as [
  NodeId,
  NodeId,
  NodeId,
  NodeId,
];

function membershipOf(): Membership {
  const membership = new Membership({ ...defaultConfig, self: a });
  membership.step({ kind: "members", ids: [a, b, c, d] });
  return membership;
}

function says(peer: NodeId, opinion: Opinion, incarnation: number, sequence = 1): Rumour {
  const opinions = [{ peer, opinion, incarnation }];
  return { sequence, incarnation: 0, health: 0, repeatTicks: 1000, opinions };
}

test("others still accept messages of a peer that refutes the highest incarnation", () => {
  const membership = membershipOf();
  const effects: Effect[] = [];
  membership.step({ kind: "rumour", from: b, rumour: says(a, "silent", counterMax) });
  for (let tick = 0; tick < 200; tick += 1) {
    effects.push(...membership.step({ kind: "tick", lateTicks: 0 }));
  }
  const ping = { kind: "ping", round: 1, incarnation: 0, accused: counterMax } as const;
  effects.push(...membership.step({ kind: "received", from: c, message: ping }));
  assert.ok(effects.length > 0);
  for (const effect of effects) {
    if (effect.kind === "send") checkMessage(decode(encode(effect.message)), "message");
    if (effect.kind === "rumour") checkRumour(decode(encode(effect.rumour)), "rumour");
  }
});

test("an incarnation that one peer makes up does not void the opinions of others", () => {
  const membership = membershipOf();
  membership.step({ kind: "rumour", from: b, rumour: says(d, "alive", counterMax) });
  for (let tick = 0; tick < 200; tick += 1) {
    for (const from of [b, c]) membership.step({ kind: "heard", from });
    for (const from of [b, c]) {
      // In the incarnation that they know: nobody but the liar has heard of another.
      const rumour = says(d, "silent", 0, 2 + tick);
      membership.step({ kind: "rumour", from, rumour });
    }
    membership.step({ kind: "tick", lateTicks: 0 });
  }
  assert.equal(membership.verdictOf(d).verdict, "lost");
});
