import assert from "node:assert/strict";
import type { networkInterfaces } from "node:os";
import { test } from "node:test";
import { HostLine } from "./host-line.ts";

test("a device is looked up again after a second, or when it was not there", () => {
  let devices: readonly (readonly [name: string, address: string])[] = [];
  let looks = 0;
  const line = new HostLine(() => {
    looks += 1;
    const found = devices.map(([name, address]) => [name, [{ address }]]);
    return Object.fromEntries(found) as ReturnType<typeof networkInterfaces>;
  });
  const at = (nowMs: number, address = "10.0.0.1"): string =>
    `${line.of(address, nowMs) ?? "none"} ${looks}`;

  assert.equal(at(0), "none 1");
  devices = [
    ["eth0", "10.0.0.1"],
    ["eth1", "10.0.0.2"],
  ];
  assert.equal(at(1), "eth0 2", "what was not there is looked up at once");
  devices = [
    ["eth1", "10.0.0.1"],
    ["eth0", "10.0.0.2"],
  ];
  assert.equal(at(1000), "eth0 2");
  assert.equal(at(1000, "10.0.0.2"), "eth0 3", "another address");
  assert.equal(at(1000), "eth1 4");
  devices = [];
  assert.equal(at(1999), "eth1 4");
  assert.equal(at(2000), "none 5");
});

test("a kernel that lists no devices has no line", () => {
  const line = new HostLine(() => {
    throw new Error("uv_interface_addresses");
  });
  assert.equal(line.of("10.0.0.1", 0), undefined);
});
