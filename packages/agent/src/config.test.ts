import assert from "node:assert/strict";
import { test } from "node:test";
import { hostAndPort, readConfig } from "./config.ts";

test("readConfig() prefers an option to its variable, and a variable to the default", () => {
  const config = readConfig(["--socket", "/a"], { GAM_SOCKET: "/b", GAM_DATA_DIR: "/c" });
  assert.equal(config.socket, "/a");
  assert.equal(config.dataDir, "/c");
  assert.deepEqual(config.listen, { host: "0.0.0.0", port: 7946 });
  assert.equal(config.voteSilenceMs, 300_000);
  assert.equal(readConfig([], { GAM_VOTE_SILENCE: "60" }).voteSilenceMs, 60_000);
});

const refused = [
  { args: ["--bogus", "1"], message: /Cannot read options: .*bogus/ },
  { args: ["--listen", "here"], message: /"listen": found "here"\. Use host:port/ },
  { args: ["--listen", "a:99999"], message: /"listen"/ },
  { args: ["--log-level", "loud"], message: /"log-level": found "loud"\. Use one of/ },
  { args: ["--container-mesh", "yes"], message: /"container-mesh": found "yes"\. Use on or off/ },
  { args: ["--salvage", "maybe"], message: /"salvage": found "maybe"\. Use on or off/ },
  { args: ["--files-dir", "files"], message: /"files-dir": found "files"\. Use an absolute path/ },
  { args: ["--voters-max", "2"], message: /"voters-max": found "2"\. Use 1, 3, 5 or 7/ },
  {
    args: ["--vote-silence", "4"],
    message: /"vote-silence": found "4"\. Use seconds from 5 to 86400/,
  },
  { args: ["--vote-silence", "5m"], message: /"vote-silence": found "5m"/ },
];

for (const { args, message } of refused) {
  test(`readConfig() refuses ${args.join(" ")}`, () => {
    assert.throws(() => readConfig(args, {}), { code: "BAD_REQUEST", message });
  });
}

test("hostAndPort() reads an IPv6 host in brackets", () => {
  assert.deepEqual(hostAndPort("listen", "[::1]:80"), { host: "::1", port: 80 });
});
