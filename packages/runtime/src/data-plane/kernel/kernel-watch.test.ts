import assert from "node:assert/strict";
import { test } from "node:test";
import { reasonToSkip } from "../../testing/reason-to-skip.ts";
import { type Ear, isListening, KernelWatch } from "./kernel-watch.ts";

/** A real kernel's list. */
const sockets = `sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode
000000002020d245 0   0          00000000 0        0        0     2        0        4
000000007a9399f0 12  0          00000000 0        0        0     2        0        561
00000000fdd45786 12  25049      00000140 0        0        0     2        0        27377170
00000000a293bd47 0   25055      00000115 0        0        0     2        0        27377174
00000000a293bd48 0   25056      00000000 0        0        0     2        0        27377175
`;
const route: Ear = { family: 0, group: 1 };
const netfilter: Ear = { family: 12, group: 1 << 6 };

for (const [pid, ear, want] of [
  [25049, netfilter, true],
  [25049, route, false],
  [25055, route, true],
  [25055, netfilter, false],
  [25056, route, false],
  [1, route, false],
  [0, netfilter, false],
] as const) {
  test(`process ${pid} ${want ? "hears" : "does not hear"} family ${ear.family}`, () => {
    assert.equal(isListening(sockets, pid, ear), want);
  });
}

const skip = reasonToSkip(["ip", "nft"]);

test("the listener is called once the programs receive events, without any change", {
  skip,
}, async () => {
  let heard = 0;
  await new Promise<void>((settle, reject) => {
    const guard = setTimeout(() => reject(new Error(`said so ${heard} times`)), 30_000);
    const onChange = (): void => {
      heard += 1;
      if (heard < 2) return; // Once for each of the two programs.
      clearTimeout(guard);
      watch.close();
      settle();
    };
    const watch = new KernelWatch({ onChange, onPort: () => undefined });
    watch.start();
  });
});
