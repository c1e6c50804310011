import assert from "node:assert/strict";
import { test } from "node:test";
import { ResolvConf, readResolvConf } from "./resolv-conf.ts";

test("readResolvConf() takes the first three addresses and ignores the rest", () => {
  const text = [
    "# nameserver 192.0.2.9",
    "search example.org",
    "nameserver 192.0.2.1",
    "nameserver\tfe80::1%eth0  # here",
    "nameserver not-an-address",
    "nameserver",
    " nameserver 192.0.2.3",
    "nameserver 192.0.2.4",
  ].join("\n");
  assert.deepEqual(
    readResolvConf(text).map(({ address }) => address),
    ["192.0.2.1", "fe80::1%eth0", "192.0.2.3"],
  );
});

test("ResolvConf of a host without the file", async () => {
  assert.deepEqual(await new ResolvConf("/nowhere/resolv.conf").servers(), []);
});
