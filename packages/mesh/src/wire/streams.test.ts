import assert from "node:assert/strict";
import { test } from "node:test";
import {
  endFramesCheaply,
  grantByHalves,
  type Pieces,
  type RawStream,
  tellListenersOnly,
  writeAtOnce,
} from "./streams.ts";

function pieces(...texts: readonly string[]): Pieces {
  const whole = Buffer.from(texts.join(""));
  return {
    byteLength: whole.length,
    subarray: () => whole,
    [Symbol.iterator]: () => texts.map((text) => Buffer.from(text)).values(),
  };
}

test("a window is granted again when half of it is used, or when the update also carries a flag", () => {
  const table = [
    { state: 3, recvWindowCapacity: 100, grants: 0 },
    { state: 3, recvWindowCapacity: 51, grants: 0 },
    { state: 3, recvWindowCapacity: 50, grants: 1 },
    { state: 3, recvWindowCapacity: 0, grants: 1 },
    { state: 2, recvWindowCapacity: 100, grants: 1 },
  ];
  for (const { grants, ...row } of table) {
    let granted = 0;
    const stream: RawStream = {
      ...row,
      direction: "inbound",
      recvWindow: 100,
      sendWindowUpdate: () => {
        granted += 1;
      },
      onData: () => undefined,
      abort: () => undefined,
    };
    grantByHalves(stream);
    stream.sendWindowUpdate();
    assert.equal(granted, grants, JSON.stringify(row));
  }
});

test("what is sent in one turn is written at the end of that turn", async () => {
  const seen: string[] = [];
  const connection = {
    socket: { cork: () => void seen.push("cork"), uncork: () => void seen.push("uncork") },
    sendData: (data: Pieces) => {
      for (const piece of data) seen.push(Buffer.from(piece).toString().slice(0, 4));
    },
  };
  writeAtOnce(connection);
  connection.sendData(pieces("a"));
  connection.sendData(pieces("b", "c"));
  await new Promise(process.nextTick);
  connection.sendData(pieces("d".repeat(4096), "e"));
  await new Promise(process.nextTick);
  const [first, second] = [seen.slice(0, 4), seen.slice(4)];
  assert.deepEqual(first, ["cork", "a", "bc", "uncork"], "small pieces are joined");
  assert.deepEqual(second, ["cork", "dddd", "e", "uncork"], "large ones are not copied");
});

test("an event is made only if it has a listener", () => {
  const told: string[] = [];
  const emitter = {
    listenerCount: (type: string) => (type === "drain" ? 1 : 0),
    safeDispatchEvent: (type: string) => {
      told.push(type);
      return false;
    },
  };
  tellListenersOnly(emitter);
  assert.equal(emitter.safeDispatchEvent("idle"), true);
  assert.equal(emitter.safeDispatchEvent("drain"), false);
  assert.deepEqual(told, ["drain"]);
});

test("lengths are read as before, and incomplete data throws one error object, made once", () => {
  const connection = {
    decoder: { lengthDecoder: (bytes: { byteLength: number }) => bytes.byteLength },
  };
  endFramesCheaply(connection);
  const { lengthDecoder } = connection.decoder;
  assert.equal(lengthDecoder({ byteLength: 2 }), 2);
  const ends = [0, 1].map((byteLength) => {
    try {
      return lengthDecoder({ byteLength });
    } catch (thrown) {
      return thrown;
    }
  });
  assert.ok(ends[0] instanceof RangeError, "libp2p takes no other error for the end");
  assert.equal(ends[0], ends[1]);
});
