import assert from "node:assert/strict";
import { test } from "node:test";
import { grantByHalves, type RawStream, writeAtOnce } from "./streams.ts";

test("a window is granted anew when half of it is used, or when there is news of the stream", () => {
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

test("what is sent in one turn is written at its end, and not later", async () => {
  const seen: string[] = [];
  const connection = {
    socket: { cork: () => void seen.push("cork"), uncork: () => void seen.push("uncork") },
    sendData: (data: unknown) => void seen.push(String(data)),
  };
  writeAtOnce(connection);
  connection.sendData("a");
  connection.sendData("b");
  await new Promise(process.nextTick);
  connection.sendData("c");
  await new Promise(process.nextTick);
  assert.deepEqual(seen, ["cork", "a", "b", "uncork", "cork", "c", "uncork"]);
});
