import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { GamError } from "@gam/core";
import { AgentClient } from "../../agent/agent-client.ts";
import { fakeAgent } from "../../testing/fake-agent.ts";
import { type ExportOptions, exportStacks } from "./export.ts";

const own = { "com.docker.stack.namespace": "shop" };
const File = { Name: "app.conf", UID: "0", GID: "0", Mode: 0o444 };

function aService(Name: string, Labels: object, container: object = {}, network?: string): object {
  const ContainerSpec = { Image: "nginx:1", ...container };
  const Networks = network === undefined ? [] : [{ Target: network, Aliases: ["web"] }];
  return {
    ID: Name,
    Spec: {
      Name,
      Labels,
      Mode: { Replicated: { Replicas: 2 } },
      TaskTemplate: { ContainerSpec, Networks },
    },
  };
}

const web = aService(
  "shop_web",
  own,
  { Configs: [{ File, ConfigID: "c1", ConfigName: "shop_app" }] },
  "n1",
);
const network = (Id: string, Name: string, Subnet: string, Labels: object = own): object => {
  // As the API answers: also with the number that the cluster has chosen.
  const Options = {
    "com.docker.network.driver.mtu": "1400",
    "com.docker.network.driver.overlay.vxlanid_list": "4099",
  };
  return { Id, Name, Driver: "overlay", Labels, Options, IPAM: { Config: [{ Subnet }] } };
};
const cluster = {
  "GET /services": [
    web,
    aService("lone", {}),
    aService("api_x", { "com.docker.stack.namespace": "api" }, {}, "n2"),
  ],
  "GET /networks": [
    network("n1", "shop_default", "10.0.5.0/24"),
    network("n2", "own", "172.30.0.0/16", {}),
  ],
  "GET /configs": [{ ID: "c1", Spec: { Name: "shop_app", Labels: own, Data: "a2V5ID0gMQo=" } }],
  "GET /swarm": { DefaultAddrPool: ["10.0.0.0/8"], SubnetSize: 24 },
};

interface Ran {
  readonly printed: readonly string[];
  readonly complained: readonly string[];
  readonly folder: string;
  readonly run: (options: ExportOptions) => Promise<void>;
}

async function at(t: TestContext): Promise<Ran> {
  const agent = await fakeAgent(cluster);
  t.after(() => agent.close());
  const folder = mkdtempSync(join(tmpdir(), "gam-export-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const printed: string[] = [];
  const complained: string[] = [];
  const io = {
    environment: {},
    cwd: folder,
    isTerminal: false,
    nowMs: () => 0,
    pause: () => Promise.resolve(),
    onInterrupt: () => () => undefined,
    print: (line: string) => printed.push(line),
    complain: (line: string) => complained.push(line),
  };
  const client = new AgentClient(agent.socket);
  return { printed, complained, folder, run: (options) => exportStacks(client, io, options) };
}

function refused(pattern: RegExp): (thrown: unknown) => boolean {
  return (thrown) => thrown instanceof GamError && pattern.test(thrown.message);
}

test("gam export writes a file for each stack, and the configs beside it", async (t) => {
  const { run, folder, printed } = await at(t);
  await run({ stacks: [], output: "out" });
  const out = join(folder, "out");
  assert.deepEqual(readdirSync(out).sort(), [
    "api.yml",
    "services.yml",
    "shop.configs",
    "shop.yml",
  ]);
  assert.equal(readFileSync(join(out, "shop.configs/shop_app"), "utf8"), "key = 1\n");
  const shop = readFileSync(join(out, "shop.yml"), "utf8");
  assert.match(shop, /file: \.\/shop\.configs\/shop_app/);
  assert.match(shop, /driver\.mtu: "1400"/);
  assert.doesNotMatch(shop, /subnet|vxlanid/);
  assert.match(readFileSync(join(out, "api.yml"), "utf8"), /own:\n {4}external: true/);
  assert.deepEqual(printed, [
    "out/api.yml: gam stack deploy -c api.yml api",
    "out/services.yml: gam stack deploy -c services.yml services",
    "  service lone becomes services_lone",
    "  service lone joins the network services_default",
    "out/shop.yml: gam stack deploy -c shop.yml shop",
  ]);
  await assert.rejects(run({ stacks: ["shop"], output: "out" }), refused(/shop\.yml: it is there/));
  await run({ stacks: ["shop"], output: "out", force: true });
});

test("gam export prints one stack, and says what it cannot do", async (t) => {
  const { run, printed, complained } = await at(t);
  await run({ stacks: ["api"] });
  assert.match(printed.join("\n"), /^networks:\n {2}own:[\s\S]*image: nginx:1/);
  assert.deepEqual(complained, []);
  await assert.rejects(run({ stacks: ["shop"] }), refused(/has configs\. Name a folder/));
  await assert.rejects(run({ stacks: [] }), refused(/there are several stacks/));
  await assert.rejects(run({ stacks: ["none"] }), refused(/the stacks are api, services, shop/));
  await assert.rejects(
    run({ stacks: [], output: "/dev/null/x" }),
    refused(/Cannot write \/dev\/null/),
  );
});
