import assert from "node:assert/strict";
import { test } from "node:test";
import { grantByHalves, type RawStream } from "./streams.ts";

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
