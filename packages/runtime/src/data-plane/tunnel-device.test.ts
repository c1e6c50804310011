import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import { HostCipher } from "@gam/files";
import type { TunnelPlan } from "@gam/network";
import { asSafe, keyOf } from "@gam/network/testing";
import { CommandFailed, type Run } from "./kernel/command.ts";
import { TunnelDevice } from "./tunnel-device.ts";
import { TunnelKeys } from "./tunnel-keys.ts";

const cipher = new HostCipher(new Uint8Array(32).fill(1));

const peer = (name: string, number: number): TunnelPlan["peers"][number] =>
  asSafe<TunnelPlan["peers"][number]>({
    node: name as NodeId,
    publicKey: keyOf(name),
    underlay: `192.0.2.${number}`,
    tunnel: `198.18.0.${number}`,
  });
const plan = asSafe<TunnelPlan>({
  address: "198.18.0.1",
  publicKey: keyOf("a"),
  port: 51820,
  mtu: 1420,
  peers: [peer("b", 2), peer("bad", 3), peer("c", 4)],
});

test("a peer that wg refuses does not stop the other peers, the address and the routes", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "gam-keys-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const done: string[] = [];
  const run: Run = async (program, args, { input = "" } = {}) => {
    const line = [program, ...args].join(" ");
    if (line.startsWith("wg set") && line.includes(keyOf("bad"))) {
      throw new CommandFailed("wg", { missing: false, stderr: "Key is not good", reason: "" });
    }
    if (line.startsWith("wg show") && !done.some((one) => one.startsWith("ip link add"))) {
      throw new CommandFailed("wg", { missing: false, stderr: "No such device", reason: "" });
    }
    done.push(line, ...input.split("\n"));
    return "";
  };
  const device = new TunnelDevice(run, await TunnelKeys.open(directory, cipher));
  await assert.rejects(device.apply(plan, false), /Key is not good/);
  const said = done.join("\n");
  for (const name of ["b", "c"]) assert.ok(said.includes(`peer ${keyOf(name)} `), said);
  assert.match(said, /addr add 198\.18\.0\.1\/32 dev gamwg/);
  assert.match(said, /route replace 198\.18\.0\.4\/32 dev gamwg/);
});
