import assert from "node:assert/strict";
import { test } from "node:test";
import type { NetworkId } from "@gam/core";
import type { NetworkPlane, NodePlan, Unsafe } from "@gam/network";
import { asSafe } from "@gam/network/testing";
import { FakeRun } from "../../testing/fake-run.ts";
import { TrackedConnections } from "./tracked-connections.ts";

function planOf(backends: string[], addresses: string[], udpPorts: number[] = []): NodePlan {
  const plane: Partial<Unsafe<NetworkPlane>> = { locals: addresses, remotes: [] };
  const plan = asSafe<Partial<NodePlan>>({
    networks: [plane as Unsafe<NetworkPlane>],
    services: [{ key: "s", network: "n" as NetworkId, vip: "10.0.0.9", backends }],
    ports: udpPorts.map((published) => {
      const port = { key: "p", protocol: "udp", published, target: 1 } as const;
      return { ...port, backends: ["10.0.0.1"], others: [] };
    }),
  });
  return plan as NodePlan;
}

async function forgotten(plans: readonly NodePlan[], host = new FakeRun()): Promise<string[]> {
  const connections = new TrackedConnections(host.run);
  for (const plan of plans) await connections.follow(plan);
  return host.log.map((line) => line.replace("conntrack -D ", ""));
}

test("a draining task loses only its UDP flows, a task that is gone loses all", async () => {
  const one = planOf(["10.0.0.1", "10.0.0.2"], ["10.0.0.1", "10.0.0.2"]);
  const draining = planOf(["10.0.0.1"], ["10.0.0.1", "10.0.0.2"]);
  const gone = planOf(["10.0.0.1"], ["10.0.0.1"]);
  assert.deepEqual(await forgotten([one, one]), []);
  assert.deepEqual(await forgotten([one, draining]), ["-p udp --reply-src 10.0.0.2"]);
  assert.deepEqual(await forgotten([one, gone]), ["--reply-src 10.0.0.2"]);
  assert.deepEqual(await forgotten([draining, gone]), ["--reply-src 10.0.0.2"]);
});

test("the flows to a UDP port are deleted when it is published", async () => {
  const plans = [planOf([], []), planOf([], [], [53])];
  assert.deepEqual(await forgotten(plans), ["-p udp --orig-port-dst 53"]);
});

test("having no flow to delete, or no conntrack program, is not an error", async () => {
  for (const answer of [
    { missing: true },
    { stderr: "conntrack v1.4.7 (conntrack-tools): 0 flow entries have been deleted." },
  ] as const) {
    const host = new FakeRun();
    host.answers.set("conntrack", answer);
    await forgotten([planOf(["10.0.0.1"], []), planOf([], [])], host);
  }
  const host = new FakeRun();
  host.answers.set("conntrack", { stderr: "Operation not permitted" });
  await assert.rejects(forgotten([planOf(["10.0.0.1"], []), planOf([], [])], host), {
    name: "CommandFailed",
  });
});

test("when a flow ends while others are being deleted, the delete is retried a few times", async () => {
  const plans = [planOf(["10.0.0.1"], []), planOf([], [])];
  const stderr = "conntrack v1.4.7: Operation failed: such conntrack doesn't exist";
  const host = new FakeRun();
  host.answers.set("conntrack", { stderr });
  await assert.rejects(forgotten(plans, host), { name: "CommandFailed" });
  assert.equal(host.log.length, 5);
  let calls = 0;
  const connections = new TrackedConnections(async (program, args) => {
    calls += 1;
    if (calls > 1) host.answers.delete("conntrack");
    return await host.run(program, args);
  });
  for (const plan of plans) await connections.follow(plan);
  assert.equal(calls, 2);
});
