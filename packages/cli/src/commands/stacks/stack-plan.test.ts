import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { AgentClient } from "../../agent/agent-client.ts";
import type { CommandIo } from "../../agent/command-io.ts";
import { type FakeAgent, fakeAgent, refusal, type Script } from "../../testing/fake-agent.ts";
import { type DeployOptions, deploy, diff } from "./stack-commands.ts";

const folder = mkdtempSync(join(tmpdir(), "gam-plan-"));
test.after(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, "shop.yml"), "services: {web: {image: web}}\n");

const plan = "/gam/v1/plans/p1";
const report = {
  objects: [{ kind: "service", name: "shop_web", action: "create", fields: [] }],
  tasks: [],
  isComplete: true,
};
const script: Script = {
  "POST /gam/v1/plans": { ID: "p1" },
  [`GET ${plan}/services`]: [],
  [`GET ${plan}/networks`]: [],
  [`POST ${plan}/networks/create`]: { Id: "net" },
  [`POST ${plan}/services/create`]: { ID: "svc" },
  [`GET ${plan}`]: report,
  [`DELETE ${plan}`]: {},
};
const options: DeployOptions = {
  ...{ name: "shop", composeFile: ["shop.yml"], profile: [], resolveImage: "never" },
  plan: true,
};

async function stage(
  context: TestContext,
  told: Script,
): Promise<{ agent: FakeAgent; client: AgentClient; io: CommandIo; printed: string[] }> {
  const agent = await fakeAgent(told);
  context.after(() => agent.close());
  const printed: string[] = [];
  const io: CommandIo = {
    ...{ environment: {}, cwd: folder, isTerminal: false, nowMs: () => 0 },
    pause: () => Promise.resolve(),
    onInterrupt: () => () => undefined,
    print: (line) => printed.push(line),
    complain: () => undefined,
  };
  return { agent, client: new AgentClient(agent.socket), io, printed };
}

test("stack deploy --plan writes to a plan only, and forgets it", async (context) => {
  const { agent, client, io, printed } = await stage(context, script);
  assert.ok(await deploy(client, io, options));
  assert.deepEqual(printed, ["+ create service shop_web"]);
  const writes = agent.heard.map(({ call }) => call).filter((call) => !call.startsWith("GET"));
  assert.deepEqual(writes, [
    "POST /gam/v1/plans",
    `POST ${plan}/networks/create`,
    `POST ${plan}/services/create`,
    `DELETE ${plan}`,
  ]);
});

test("stack deploy --plan ends with what the deployment would be refused for", async (context) => {
  const { agent, client, io } = await stage(context, {
    ...script,
    [`POST ${plan}/services/create`]: refusal(409, "port 80 is taken"),
  });
  await assert.rejects(deploy(client, io, options), /port 80 is taken/);
  assert.equal(agent.heard.at(-1)?.call, `DELETE ${plan}`);
});

test("gam diff says whether something is different", async (context) => {
  const asked = { name: "shop", composeFile: ["shop.yml"], profile: [] };
  const first = await stage(context, script);
  assert.equal(await diff(first.client, first.io, asked), false);
  assert.deepEqual(first.printed, ["+ create service shop_web"]);
  const none = { ...report, objects: [] };
  const second = await stage(context, { ...script, [`GET ${plan}`]: none });
  assert.equal(await diff(second.client, second.io, asked), true);
  assert.deepEqual(second.printed, ["Nothing is different"]);
});

test("stack deploy --json needs --plan", async (context) => {
  const { client, io, agent } = await stage(context, script);
  const wrong = deploy(client, io, { ...options, plan: false, json: true });
  await assert.rejects(wrong, /^GamError: Cannot print JSON of a deployment\. Add "--plan"/);
  assert.equal(agent.heard.length, 0);
});
