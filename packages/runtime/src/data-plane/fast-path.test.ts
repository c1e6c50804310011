import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { NetworkId, NodeId } from "@gam/core";
import type { NetworkPlane, NodePlan, Unsafe } from "@gam/network";
import { asSafe } from "@gam/network/testing";
import { FakeRun } from "../testing/fake-run.ts";
import { FastPath } from "./fast-path.ts";
import type { Sandbox } from "./kernel/sandbox.ts";

const network = "front" as NetworkId;
const address = "10.0.5.20";
const mac = "02:42:0a:00:05:14";

function planOf(
  backends: readonly string[],
  locals: readonly string[] = [address],
  elsewhere: readonly string[] = ["10.0.5.30"],
): NodePlan {
  const plane: Partial<Unsafe<NetworkPlane>> = {
    id: network,
    vni: 5,
    vxlan: "gamx-5",
    subnet: "10.0.5.0/24",
    gateway: "10.0.5.2",
    vips: ["10.0.5.9"],
    remotes: elsewhere.map((one) => ({ address: one, via: "192.0.2.1" })),
    locals,
  };
  const plan = asSafe<Partial<NodePlan>>({
    self: "self" as NodeId,
    networks: [plane as Unsafe<NetworkPlane>],
    services: [{ key: "s", network, vip: "10.0.5.9", backends }],
  });
  return plan as NodePlan;
}

interface Stage {
  readonly host: FakeRun;
  readonly fast: FastPath;
  readonly sandbox: Sandbox;
}

/** A host with one container, whose link's other end is `veth1`. */
function stage(t: TestContext, ends = "veth1"): Stage {
  const directory = mkdtempSync(join(tmpdir(), "gam-netns-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "one");
  writeFileSync(path, "");
  const host = new FakeRun();
  const inside = [{ address: mac, link_index: 7 }];
  host.answers.set(`nsenter --net=${path} ip -j link show`, JSON.stringify(inside));
  const outside = [{ ifname: ends, ifindex: 7, linkinfo: { info_kind: "veth" } }];
  host.answers.set("ip -j -d addr show", JSON.stringify(outside));
  const place = { endpoint: "e1", network, address, mac };
  return { host, fast: new FastPath(host.run), sandbox: { path, endpoints: [place] } };
}

/** The input of nft since the last call: inside of a container, or on the host. */
function sent({ log }: FakeRun, where: "inside" | "host"): string[] {
  return log.filter(
    (line) => line.startsWith(where === "host" ? "nft -f" : "nsenter") && line.includes("nft -f"),
  );
}

const isFast = ({ log }: FakeRun): boolean => log.some((line) => line.includes(`"veth1"`));

test("a container's services are translated inside of it, and its TCP goes past the bridge", async (t) => {
  const { host, fast, sandbox } = stage(t);
  assert.equal(fast.meet([sandbox]), true);
  await fast.follow(planOf(["10.0.5.30"]));
  assert.match(sent(host, "inside").join(), /dnat to 10\.0\.5\.30/);
  assert.match(sent(host, "host").join(), /elements = { 10\.0\.5\.20 : "veth1" }/);
  assert.match(sent(host, "host").join(), /add element netdev gam lease { tcp timeout/);
});

test("an unchanged plan is not written again", async (t) => {
  const { host, fast, sandbox } = stage(t);
  fast.meet([sandbox]);
  await fast.follow(planOf(["10.0.5.30"]));
  const before = host.log.length;
  assert.equal(fast.meet([{ ...sandbox }]), false);
  await fast.follow(planOf(["10.0.5.30"]));
  assert.deepEqual(host.log.slice(before), []);
});

test("one more task is one change inside, and none on the host", async (t) => {
  const { host, fast, sandbox } = stage(t);
  fast.meet([sandbox]);
  await fast.follow(planOf(["10.0.5.30"]));
  const before = host.log.length;
  await fast.follow(planOf(["10.0.5.20", "10.0.5.30"]));
  const [only, ...more] = host.log.slice(before);
  assert.match(only ?? "", /^nsenter .* nft -f -\nflush chain ip gam service_s\n/);
  assert.deepEqual(more, []);
});

test("while the host translates for a container, its TCP takes the bridge", async (t) => {
  const { host, fast, sandbox } = stage(t);
  host.answers.set("conntrack -L", "tcp 6 431999 ESTABLISHED src=10.0.5.20 dst=10.0.5.9\n");
  fast.meet([sandbox]);
  await fast.follow(planOf(["10.0.5.30"]));
  assert.notDeepEqual(sent(host, "inside"), []);
  assert.equal(isFast(host), false);
});

for (const [why, command, answer] of [
  ["conntrack is not installed", "conntrack", { missing: true }],
  ["the kernel cannot forward between devices", "nft -f", { stderr: "not supported" }],
] as const) {
  test(`where ${why} follow() fails, and frames take the bridge`, async (t) => {
    const { host, fast, sandbox } = stage(t);
    host.answers.set(command, answer);
    fast.meet([sandbox]);
    await assert.rejects(fast.follow(planOf(["10.0.5.30"])), { name: "CommandFailed" });
    assert.deepEqual(
      sent(host, "host").filter((line) => line.includes("add element netdev gam lease")),
      [],
    );
  });
}

test("the lease ends when the host's table can no longer be written", async (t) => {
  const { host, fast, sandbox } = stage(t);
  fast.meet([sandbox]);
  await fast.follow(planOf(["10.0.5.30"]));
  host.answers.set("nft -f", { stderr: "Interface does not exist" });
  await assert.rejects(fast.follow(planOf(["10.0.5.30"], [])), { name: "CommandFailed" });
  assert.match(host.log.at(-1) ?? "", /flush set netdev gam lease/);
});

test("a container that cannot be entered is left to the bridge after some tries", async (t) => {
  const { host, fast, sandbox } = stage(t);
  host.answers.set("nsenter", { stderr: "nsenter: reassociate to namespace failed" });
  host.answers.delete(`nsenter --net=${sandbox.path} ip -j link show`);
  for (let times = 0; times < 10; times += 1) {
    fast.meet([sandbox]);
    await fast.follow(planOf(["10.0.5.30"]));
  }
  assert.equal(host.log.filter((line) => line.startsWith("nsenter")).length, 3);
  assert.equal(isFast(host), false);
});

test("a container's table that can no longer be written is removed", async (t) => {
  const { host, fast, sandbox } = stage(t);
  fast.meet([sandbox]);
  host.answers.set(`nsenter --net=${sandbox.path} nft`, { stderr: "Cannot allocate memory" });
  for (let times = 0; times < 5; times += 1) await fast.follow(planOf(["10.0.5.30"]));
  const [, , , last, ...more] = sent(host, "inside");
  assert.match(last ?? "", /nft -f -\ntable ip gam {\n}\ndelete table ip gam\n$/);
  assert.deepEqual(more, []);
});

test("of many new containers some are set up first, and then the others", async (t) => {
  const { host, fast, sandbox } = stage(t);
  host.answers.set("nsenter", JSON.stringify([{ address: mac, link_index: 7 }]));
  const crowd = Array.from({ length: 40 }, (_, index) => {
    const path = `${sandbox.path}-${index}`;
    writeFileSync(path, "");
    return { ...sandbox, path };
  });
  fast.meet(crowd);
  const entered: number[] = [];
  for (let more = true; more; ) {
    more = await fast.follow(planOf(["10.0.5.30"]));
    entered.push(new Set(sent(host, "inside").map((line) => line.split(" ", 2)[1])).size);
  }
  assert.deepEqual(entered, [16, 32, 40]);
});

test("the lease of an earlier agent is ended first", async (t) => {
  const { host, fast, sandbox } = stage(t);
  fast.meet([sandbox]);
  await fast.follow(planOf(["10.0.5.30"]));
  assert.match(host.log[0] ?? "", /^nft -f -\nflush set netdev gam lease/);
  assert.equal(host.log.filter((line) => line.includes("flush set")).length, 1);
});

test("a sender to an address that has left is refused, a sender to an unknown address is not", async (t) => {
  const { host, fast, sandbox } = stage(t);
  fast.meet([sandbox]);
  await fast.follow(planOf([], [address, "10.0.5.21"], ["10.0.5.30", "10.0.5.31"]));
  assert.deepEqual(
    sent(host, "host").filter((line) => line.includes("element netdev gam gone")),
    [],
  );
  await fast.follow(planOf([], [address], ["10.0.5.31", "10.0.5.32"]));
  const told = "add element netdev gam gone { 10.0.5.21 timeout 15m, 10.0.5.30 timeout 15m }";
  assert.ok(host.log.at(-1)?.includes(told), host.log.at(-1));
});

test("a service is known once the host's table has its address", async (t) => {
  const { fast, sandbox } = stage(t);
  const served = planOf(["10.0.5.30"]);
  assert.equal(fast.knows(served), false);
  fast.meet([sandbox]);
  await fast.follow(planOf([]));
  assert.equal(fast.knows(served), false);
  await fast.follow(served);
  assert.equal(fast.knows(served), true);
  assert.equal(fast.knows(planOf(["10.0.5.30", "10.0.5.31"])), true);
});

test("a container whose namespace does not exist is not entered", async (t) => {
  const { host, fast, sandbox } = stage(t);
  fast.meet([{ ...sandbox, path: `${sandbox.path}-gone` }]);
  await fast.follow(planOf(["10.0.5.30"]));
  assert.deepEqual(host.log, ["nft -f -\nflush set netdev gam lease\n"]);
});

test("a device of a strange name is not written into rules", async (t) => {
  const { host, fast, sandbox } = stage(t, 'veth"; drop');
  fast.meet([sandbox]);
  await fast.follow(planOf(["10.0.5.30"]));
  assert.doesNotMatch(sent(host, "host").join(), /veth/);
});

test("a container that joins the same network again has another link", async (t) => {
  const { host, fast, sandbox } = stage(t);
  fast.meet([sandbox]);
  await fast.follow(planOf(["10.0.5.30"]));
  const outside = [{ ifname: "veth2", ifindex: 7, linkinfo: { info_kind: "veth" } }];
  host.answers.set("ip -j -d addr show", JSON.stringify(outside));
  const place = { endpoint: "e2", network, address, mac };
  assert.equal(fast.meet([{ ...sandbox, endpoints: [place] }]), true);
  await fast.follow(planOf(["10.0.5.30"]));
  assert.match(
    sent(host, "host").at(-1) ?? "",
    /add element netdev gam locals_5 { 10\.0\.5\.20 : "veth2" }/,
  );
});

test("a container that leaves loses its table, a container that has gone is not entered", async (t) => {
  const { host, fast, sandbox } = stage(t);
  fast.meet([sandbox]);
  await fast.follow(planOf(["10.0.5.30"]));
  fast.meet([]);
  await fast.follow(planOf(["10.0.5.30"]));
  assert.match(sent(host, "inside").at(-1) ?? "", /\ndelete table ip gam\n$/);
  assert.match(sent(host, "host").at(-1) ?? "", /delete map netdev gam locals_5/);
});
