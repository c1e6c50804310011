import assert from "node:assert/strict";
import { test } from "node:test";
import type { Raft } from "@gam/consensus";
import type { NodeId } from "@gam/core";
import type { Membership } from "@gam/membership";
import type { Effect } from "../io/effect.ts";
import type { Input } from "../io/input.ts";
import { Rest } from "./rest.ts";

const other = "b" as NodeId;
const sender = { role: "manager", asOf: 0, hosts: new Set<string>() } as const;
const tick: Input = { kind: "tick", lateTicks: 0 };
const heard = (message: Extract<Input, { kind: "received" }>["message"]): Input => ({
  kind: "received",
  from: other,
  sender,
  message,
});
const heartbeat = { kind: "heartbeat", term: 1, index: 1, indexTerm: 1, round: 1 } as const;
const commit = { kind: "commit", term: 1, index: 1, indexTerm: 1 } as const;
const ping = { kind: "ping", round: 1, incarnation: 0 } as const;
const beat = { channel: "raft", life: "x", body: heartbeat } as const;
const steered = { channel: "peer", life: "x", body: { kind: "steered", index: 1 } } as const;

function ticksOf(rest: Rest, nowTick: number, raftTicks = 9, memberTicks = 9): number {
  const raft = { restTicks: raftTicks } as Raft;
  return rest.ticks(nowTick, raft, { restTicks: memberTicks } as Membership);
}

const cases: {
  readonly name: string;
  readonly input: Input;
  readonly effects?: Effect[];
  readonly rests: boolean;
}[] = [
  { name: "a tick", input: tick, rests: true },
  { name: "a heartbeat", input: heard(beat), rests: true },
  { name: "a ping", input: heard({ channel: "member", body: ping }), rests: true },
  {
    name: "a tick that pings",
    input: tick,
    effects: [{ kind: "send", to: other, message: { channel: "member", body: ping } }],
    rests: true,
  },
  {
    name: "a tick with a heartbeat",
    input: tick,
    effects: [{ kind: "send", to: other, message: beat }],
    rests: true,
  },
  {
    name: "a tick that measures",
    input: tick,
    effects: [{ kind: "measure", tasks: [] }],
    rests: true,
  },
  {
    name: "news of a commit",
    input: heard({ channel: "raft", life: "x", body: commit }),
    rests: false,
  },
  { name: "a message about network plans", input: heard(steered), rests: false },
  {
    name: "a list of containers",
    input: { kind: "worker", input: { kind: "containers", containers: [] } },
    rests: true,
  },
  {
    name: "news of the engine",
    input: { kind: "worker", input: { kind: "engine", ready: true, reason: "" } },
    rests: false,
  },
  { name: "a write", input: { kind: "propose", request: 1, changes: [] }, rests: false },
  { name: "a refusal", input: { kind: "refused", peer: other }, rests: false },
  {
    name: "a tick that says something else",
    input: tick,
    effects: [{ kind: "send", to: other, message: steered }],
    rests: false,
  },
  {
    name: "a verdict",
    input: tick,
    effects: [{ kind: "note", level: "warn", text: "Peer is lost", fields: {} }],
    rests: false,
  },
];

for (const { name, input, effects = [], rests } of cases) {
  test(`a peer ${rests ? "rests" : "does not rest"} after ${name}`, () => {
    const rest = new Rest();
    assert.equal(ticksOf(rest, 99), 1, "it has just started");
    rest.note(1000, input, effects);
    assert.equal(ticksOf(rest, 1000), rests ? 4 : 1);
    assert.equal(ticksOf(rest, 1099), rests ? 4 : 1);
    assert.equal(ticksOf(rest, 1100), 4);
  });
}

test("a peer rests no longer than any of its machines", () => {
  const rest = new Rest();
  assert.equal(ticksOf(rest, 1000, 2, 3), 2);
  assert.equal(ticksOf(rest, 1000, 3, 1), 1);
});
