import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeMessage, encodeMessage, type Message } from "./message.ts";

const beat = (round: number) => {
  return { kind: "heartbeat", term: 2, index: 7, indexTerm: 1, round } as const;
};
const raft = (body: Extract<Message, { channel: "raft" }>["body"], life = "1"): Message => {
  return { channel: "raft", life, body };
};

test("a message to many peers is encoded once", () => {
  const body = beat(1);
  assert.equal(encodeMessage(raft(body)), encodeMessage(raft(body)));
});

test("each message is decoded as it was sent, whatever was encoded before it", () => {
  const body = beat(1);
  const unknown = { unknown: 1 };
  const more: Message = { ...raft(body), ...unknown };
  const messages: readonly Message[] = [
    raft(body),
    raft(beat(2)),
    raft(body),
    raft(body, "2"),
    more,
    raft(body),
    { channel: "peer", life: "1", body: { kind: "steered", index: 7 } },
    { channel: "member", body: { kind: "ack", round: 1, incarnation: 0 } },
    raft(body),
  ];
  for (const message of messages) {
    const { channel, ...said } = message;
    const { unknown: _, ...known } = said as typeof said & { unknown?: number };
    assert.deepEqual(decodeMessage(channel, encodeMessage(message)), { channel, ...known });
  }
  assert.notDeepEqual(encodeMessage(raft(body)), encodeMessage(more));
  assert.notDeepEqual(encodeMessage(more), encodeMessage(raft(body)));
});
