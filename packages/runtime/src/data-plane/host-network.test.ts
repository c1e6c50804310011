import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeNetwork } from "@gam/state";
import { FakeRun, type ProgramResult } from "../testing/fake-run.ts";
import { HostTrials, lookAtHostNetwork } from "./host-network.ts";

const links = [
  { ifname: "lo", mtu: 65536, flags: ["LOOPBACK", "UP"], addr_info: [] },
  { ifname: "eth0", mtu: 9000, flags: ["UP"], addr_info: [{ family: "inet", local: "192.0.2.1" }] },
  { ifname: "eth1", mtu: 1400, flags: ["UP"], addr_info: [] },
  { ifname: "gam-5", mtu: 1300, flags: ["UP"], addr_info: [{ local: "10.0.5.2" }] },
];
const routes = [
  { dst: "default", dev: "eth0" },
  { dst: "192.0.2.0/24", dev: "eth0" },
  { dst: "172.17.0.0/16", dev: "docker0" },
  { dst: "10.0.5.0/24", dev: "gam-5" },
  { dst: "198.18.0.2", dev: "gamwg" },
  { dst: "203.0.113.7", dev: "eth1" },
];

async function look(
  answers: Readonly<Record<string, ProgramResult>>,
  address = "192.0.2.1",
): Promise<NodeNetwork> {
  const host = new FakeRun();
  host.answers.set("ip -j -d addr show", JSON.stringify(links));
  host.answers.set("ip -4 -j route show", JSON.stringify(routes));
  for (const [command, answer] of Object.entries(answers)) host.answers.set(command, answer);
  return await lookAtHostNetwork(address, { publicKey: "key", run: host.run });
}

test("a host reports its own routes, not gam's, and the MTU of its address", async () => {
  const { mtu, routes: ranges } = await look({});
  assert.deepEqual([mtu, ranges], [9000, ["172.17.0.0/16", "192.0.2.0/24", "203.0.113.7/32"]]);
  assert.equal((await look({}, "198.51.100.1")).mtu, 1400);
});

const problems: readonly (readonly [string, ProgramResult, RegExp])[] = [
  ["bridge -V", { missing: true }, /"bridge" is missing: install the package iproute2/],
  ["nft --version", { missing: true }, /"nft" is missing: install the package nftables/],
  [
    "ip link add gamtrial type vxlan",
    { stderr: "RTNETLINK answers: Operation not permitted" },
    /\broot\b/,
  ],
  ["ip link add gamtrial type vxlan", { stderr: "Error: Unknown device type." }, /no VXLAN/],
  ["nft --check", { stderr: "Error: Protocol not supported" }, /nftables with timeouts/],
];
for (const [command, answer, wanted] of problems) {
  test(`a host that lacks something says what to do: ${wanted.source}`, async () => {
    const { problem, encryption, publicKey } = await look({ [command]: answer });
    assert.match(problem, wanted);
    assert.deepEqual([encryption, publicKey], ["none", ""]);
  });
}

test("a host that lacks nothing is tested again after ten minutes, a host that lacks something each time", async () => {
  let nowMs = 0;
  const host = new FakeRun();
  host.answers.set("ip -j -d addr show", JSON.stringify(links));
  host.answers.set("ip -4 -j route show", JSON.stringify(routes));
  const trials = new HostTrials(() => nowMs);
  const tried = async (): Promise<{ problem: string; tries: number }> => {
    const before = host.log.length;
    const { problem } = await lookAtHostNetwork("192.0.2.1", {
      publicKey: "key",
      run: host.run,
      trials,
    });
    const made = host.log
      .slice(before)
      .filter((call) => call.startsWith("ip link add gamtrial type vxlan"));
    return { problem, tries: made.length };
  };
  assert.deepEqual(await tried(), { problem: "", tries: 1 });
  nowMs = 599_999;
  assert.deepEqual(await tried(), { problem: "", tries: 0 });
  nowMs = 600_000;
  host.answers.set("ip link add gamtrial type vxlan", { stderr: "Error: Unknown device type." });
  for (let n = 0; n < 2; n += 1) {
    const { problem, tries } = await tried();
    assert.match(problem, /no VXLAN/);
    assert.equal(tries, 1);
  }
});
