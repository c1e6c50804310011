import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { GamError } from "@gam/core";
import { AgentClient } from "../agent/agent-client.ts";
import type { CommandIo } from "../agent/command-io.ts";
import { type FakeAgent, fakeAgent, type Script } from "../testing/fake-agent.ts";
import { drain, resume } from "./node-commands.ts";

function aNode(ID: string, Hostname: string, Availability = "active", State = "ready"): object {
  const Spec = { Role: "manager", Availability, Labels: { zone: "a" } };
  return { ID, Version: { Index: 7 }, Spec, Description: { Hostname }, Status: { State } };
}

const task = (State: string, Slot?: number): object => ({
  ServiceID: "s1",
  ...(Slot !== undefined && { Slot }),
  Status: { State },
});
const onOff = 'GET /tasks?filters={"node":{"n4":true}}';
const cluster = {
  "GET /nodes": [
    aNode("n1", "host1"),
    aNode("n2", "twin"),
    aNode("x3", "twin"),
    aNode("n4", "off", "drain"),
  ],
  "GET /services": [{ ID: "s1", Spec: { Name: "web" } }],
  "POST /nodes/n1/update?version=7": {},
  "POST /nodes/n4/update?version=7": {},
};

interface Ran {
  readonly agent: FakeAgent;
  readonly client: AgentClient;
  readonly io: CommandIo;
  readonly printed: string[];
  readonly complained: string[];
}

async function at(t: TestContext, script: Script, onPause: (ran: Ran) => void = () => undefined) {
  const agent = await fakeAgent(script);
  t.after(() => agent.close());
  const printed: string[] = [];
  const complained: string[] = [];
  let interrupt = (): void => undefined;
  const ran: Ran & { interrupt(): void } = {
    agent,
    client: new AgentClient(agent.socket),
    printed,
    complained,
    interrupt: () => interrupt(),
    io: {
      environment: {},
      cwd: "/",
      isTerminal: false,
      nowMs: () => 0,
      pause: async () => onPause(ran),
      onInterrupt: (call) => {
        interrupt = call;
        return () => undefined;
      },
      print: (line) => printed.push(line),
      complain: (line) => complained.push(line),
    },
  };
  return ran;
}

test("gam drain keeps the rest of the node's spec, and says how to undo it", async (t) => {
  const { client, io, agent, printed } = await at(t, cluster);
  assert.equal(await drain(client, io, { host: "host1" }), true);
  assert.deepEqual(agent.heard.at(-1), {
    call: "POST /nodes/n1/update?version=7",
    body: { Role: "manager", Availability: "drain", Labels: { zone: "a" } },
  });
  assert.match(printed[0] ?? "", /^host1 takes no tasks.*"gam resume host1"/);
});

test("gam drain --wait shows what is left until nothing is", async (t) => {
  const script: Record<string, unknown> = {
    ...cluster,
    [onOff]: [task("running", 2), task("running", 1), task("complete", 3)],
  };
  const steps = [[task("running", 2), task("running")], [task("running", 2), task("running")], []];
  const { client, io, printed } = await at(t, script, () => {
    script[onOff] = steps.shift();
  });
  assert.equal(await drain(client, io, { host: "n4", wait: true }), true);
  assert.deepEqual(printed, [
    "off has 2 of its tasks: web.1, web.2",
    "off has 2 of its tasks: web, web.2",
    'off has no tasks. "gam resume n4" lets it take tasks again',
  ]);
});

test("Ctrl-C leaves the host drained, and says what it still has", async (t) => {
  const ran = await at(t, { ...cluster, [onOff]: [task("running", 1)] }, () => ran.interrupt());
  assert.equal(await drain(ran.client, ran.io, { host: "off", wait: true }), false);
  assert.match(ran.complained[0] ?? "", /stays drained, and still has web\.1/);
});

test("gam drain --wait does not wait for what will not end", async (t) => {
  for (const [node, message] of [
    [aNode("n4", "off", "drain", "down"), /off is down, .*web\.1\. It stays drained/],
    [aNode("n4", "off", "active"), /off takes tasks again: .* It has web\.1/],
  ] as const) {
    const script: Record<string, unknown> = { ...cluster, [onOff]: [task("running", 1)] };
    const ran = await at(t, script, () => {
      script["GET /nodes"] = [node];
    });
    await assert.rejects(
      drain(ran.client, ran.io, { host: "off", wait: true }),
      (thrown) => thrown instanceof GamError && message.test(thrown.message),
    );
  }
});

test("gam resume changes only what is not active", async (t) => {
  const { client, io, agent, printed } = await at(t, cluster);
  await resume(client, io, "host1");
  assert.equal(agent.heard.filter(({ call }) => call.startsWith("POST")).length, 0);
  await resume(client, io, "off");
  assert.match(printed.join("\n"), /host1 takes tasks already\noff takes tasks again/);
});

test("a host that is unknown, or one of several, is refused", async (t) => {
  const { client, io } = await at(t, cluster);
  const says = (pattern: RegExp) => (thrown: unknown) =>
    thrown instanceof GamError && pattern.test(thrown.message);
  await assert.rejects(
    drain(client, io, { host: "none" }),
    says(/there are host1, off, twin, twin/),
  );
  await assert.rejects(drain(client, io, { host: "twin" }), says(/use an id, n2 \(ready\), x3/));
  await assert.rejects(resume(client, io, "n"), says(/3 hosts are called n/));
});
