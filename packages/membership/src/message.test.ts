import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode, type NodeId } from "@gam/core";
import { testId } from "@gam/core/testing";
import { checkMessage, checkRumour, type Message, type Rumour } from "./message.ts";

const peer = testId<NodeId>("e");
const messages: Message[] = [
  { kind: "ping", round: 1, incarnation: 0 },
  { kind: "ping", round: 1, incarnation: 0, accused: 3 },
  { kind: "ack", round: 1, incarnation: 2 },
  { kind: "ask", round: 1, peer },
  { kind: "reached", round: 1, peer, incarnation: 0 },
  { kind: "unreached", round: 1, peer },
];

for (const message of messages) {
  test(`checkMessage() accepts "${message.kind}" unchanged`, () => {
    assert.deepEqual(checkMessage(decode(encode(message)), "message"), message);
  });
}

const rumour: Rumour = {
  sequence: 1,
  incarnation: 0,
  health: 8,
  repeatTicks: 10,
  opinions: [{ peer, opinion: "silent", incarnation: 4 }],
};

test("checkRumour() accepts a rumour unchanged", () => {
  assert.deepEqual(checkRumour(decode(encode(rumour)), "rumour"), rumour);
});

const rubbish: [string, unknown][] = [
  ["an unknown kind", { kind: "pong", round: 1 }],
  ["a round that is no number", { kind: "ack", round: "1", incarnation: 0 }],
  ["a negative incarnation", { kind: "ack", round: 1, incarnation: -1 }],
  ["an incarnation that cannot be raised", { kind: "ping", round: 1, incarnation: 2 ** 53 }],
  ["a peer that is no id", { kind: "ask", round: 1, peer: "e" }],
  ["nothing", undefined],
];

for (const [name, value] of rubbish) {
  test(`checkMessage() refuses ${name}`, () => {
    assert.throws(() => checkMessage(value, "message"), { code: "BAD_FRAME" });
  });
}

test("checkRumour() refuses a health and an opinion that do not exist", () => {
  assert.throws(() => checkRumour({ ...rumour, health: 9 }, "rumour"), { code: "BAD_FRAME" });
  const opinions = [{ peer, opinion: "dead", incarnation: 0 }];
  assert.throws(() => checkRumour({ ...rumour, opinions }, "rumour"), { code: "BAD_FRAME" });
});
