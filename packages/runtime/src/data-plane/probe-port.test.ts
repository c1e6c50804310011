/** The port ear and probePort() on a real kernel: this file runs itself again in a network namespace. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { FakeRun } from "../testing/fake-run.ts";
import { reasonToSkip } from "../testing/reason-to-skip.ts";
import { PortEar } from "./port-ear.ts";
import { probePort } from "./probe-port.ts";

const inside = process.env.GAM_TEST_NAMESPACE === "1";
const way = { from: "192.0.2.1", to: "192.0.2.2", port: 4789, bytes: 1500 };

const sh = (command: string): string => execFileSync("sh", ["-c", command], { encoding: "utf8" });
/** Adds a firewall as people have one, until the test ends. */
function filter(t: TestContext, rule: string): void {
  sh(`nft 'table inet filter { chain input { type filter hook input priority 0; ${rule}; }; }'`);
  t.after(() => void sh("nft delete table inet filter"));
}

function inNamespace(): void {
  const ear = new PortEar();
  const heard = () => ear.heard();
  sh("ip link set lo up; ip addr add 192.0.2.1/32 dev lo; ip addr add 192.0.2.2/32 dev lo");

  const cases = [
    { name: "an open port", rule: "udp dport 4788 drop", want: "whole" },
    { name: "a closed port", rule: "udp dport 4789 drop", want: "none" },
    { name: "a port that is refused", rule: "udp dport 4789 reject", want: "none" },
    { name: "a port for short packets", rule: "udp length > 1000 drop", want: "small" },
  ];
  for (const { name, rule, want } of cases) {
    test(`probePort() of ${name}`, async (t) => {
      filter(t, rule);
      assert.equal(await probePort(way, heard), want);
    });
  }

  test("probePort() of a port that the kernel itself holds, beside a closed one", async (t) => {
    sh("ip link add x type vxlan id 7 dstport 4789 local 192.0.2.2; ip link set x up");
    filter(t, "udp dport 51820 drop");
    const results = [probePort(way, heard), probePort({ ...way, port: 51820 }, heard)];
    assert.deepEqual(await Promise.all(results), ["whole", "none"]);
  });

  test("probePort() from an address that this host does not have", async () => {
    assert.equal(await probePort({ ...way, from: "192.0.2.77" }, heard), "none");
  });

  test("the port ear works again after somebody has flushed the packet filter", async () => {
    await ear.heard();
    sh("nft flush ruleset");
    assert.equal(await probePort(way, heard), "whole");
  });

  test("close() removes the table, also one of an earlier agent", async () => {
    await ear.heard();
    await new PortEar().close();
    assert.equal(sh("nft list ruleset"), "");
    await ear.close();
    assert.equal(sh("nft list ruleset"), "");
  });
}

if (inside) {
  inNamespace();
} else {
  test("the port ear in a network namespace", {
    skip: reasonToSkip(["ip", "nft", "unshare"]),
  }, () => {
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const { status, stdout } = spawnSync(
      "unshare",
      ["--net", process.execPath, fileURLToPath(import.meta.url)],
      { encoding: "utf8", env: { ...env, GAM_TEST_NAMESPACE: "1" }, timeout: 60_000 },
    );
    assert.equal(status, 0, stdout);
  });

  test("an nft that fails is an error, not an empty answer", async () => {
    const fake = new FakeRun();
    fake.answers.set("nft", { stderr: "Error: Operation not permitted" });
    const ear = new PortEar(fake.run);
    await assert.rejects(
      probePort(way, () => ear.heard()),
      /Cannot run nft: Error: Operation not permitted/,
    );
  });

  test("nft's listing is read, and refused when it is something else", async () => {
    const fake = new FakeRun();
    const ear = new PortEar(fake.run);
    const list = (...elem: unknown[]): void =>
      void fake.answers.set(
        "nft",
        JSON.stringify({ nftables: [{ metainfo: {} }, { set: { elem } }] }),
      );
    list({ elem: { val: { concat: ["192.0.2.1", 4711] }, timeout: 30, expires: 29 } });
    assert.deepEqual(await ear.heard(), [{ address: "192.0.2.1", port: 4711 }]);
    list();
    assert.deepEqual(await ear.heard(), []);
    list("192.0.2.1");
    await assert.rejects(ear.heard(), { code: "BAD_FRAME" });
  });
}
