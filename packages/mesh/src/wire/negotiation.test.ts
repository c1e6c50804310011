import assert from "node:assert/strict";
import { test } from "node:test";
import { type Inlet, isAnswer, Negotiation, watchNegotiation } from "./negotiation.ts";

const frame = (name: string): Uint8Array =>
  Buffer.concat([Uint8Array.of(name.length + 1), Buffer.from(`${name}\n`)]);
const head = frame("/multistream/1.0.0");
const spoken = (name: string): boolean => name === "/gam/hello/1";

test("a negotiation is over with the first protocol that is known, however the bytes are cut", () => {
  const bytes = Buffer.concat([head, frame("/other"), frame("/gam/hello/1"), Buffer.alloc(9, 255)]);
  const whole = new Negotiation(spoken);
  assert.equal(whole.read(bytes), "over");
  const cut = new Negotiation(spoken);
  const found = [...bytes.subarray(0, -9)].map((byte) => cut.read(Uint8Array.of(byte)));
  assert.deepEqual(new Set(found.slice(0, -1)), new Set(["going on"]));
  assert.equal(found.at(-1), "over");
});

test("bytes that no gam peer would send are rubbish", () => {
  const many = Buffer.concat(Array.from({ length: 9 }, () => frame("/other")));
  const table: [string, Uint8Array][] = [
    ["a length without an end", Buffer.alloc(3, 0xff)],
    ["a length that none of our names has", Uint8Array.of(0x80, 0x01)],
    ["nothing named", Uint8Array.of(0)],
    ["the same after a good beginning", Buffer.concat([head, Buffer.alloc(3, 0xff)])],
    ["too many names", many],
  ];
  for (const [name, bytes] of table) {
    assert.equal(new Negotiation(spoken).read(bytes), "rubbish", name);
  }
});

test("the side that asked takes any answer, and waits on after a refusal", () => {
  const asking = new Negotiation(isAnswer);
  assert.equal(asking.read(Buffer.concat([head, frame("na")])), "going on");
  assert.equal(asking.read(frame("/gam/hello/1")), "over");
});

test("rubbish is not passed on, nor is anything after it", () => {
  const taken: number[] = [];
  let complaints = 0;
  const inlet: Inlet = {
    onData: (data) => void taken.push(data.subarray().length),
    abort: () => undefined,
  };
  watchNegotiation(inlet, spoken, () => {
    complaints += 1;
  });
  inlet.onData(head);
  inlet.onData(Buffer.alloc(1 << 20, 0xff));
  inlet.onData(frame("/gam/hello/1"));
  assert.deepEqual(taken, [head.length]);
  assert.equal(complaints, 1);
});
