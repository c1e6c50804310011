import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { NodeId } from "@gam/core";
import { Rig } from "../testing/rig.ts";

let rig: Rig;
let web = "";

before(async () => {
  rig = await Rig.start(2);
  const [, second] = rig.door.store.nodes();
  assert.ok(second);
  const spec = { ...second.Spec, Role: "worker" as const, Labels: { disk: "ssd", zone: "" } };
  rig.door.apply([{ kind: "updateNode", id: second.ID, spec, basedOn: second.Version.Index }]);
  const create = async (name: string, more: object): Promise<string> => {
    const spec = { Name: name, TaskTemplate: { ContainerSpec: { Image: "tiny:1" } }, ...more };
    return (await rig.call("POST", "/services/create", spec)).body.ID;
  };
  web = await create("web", { Labels: { tier: "front", "com.example/a": "x=y" } });
  await create("web-admin", { Mode: { Replicated: { Replicas: 2 } } });
  await create("agent", { Mode: { Global: {} }, Labels: { tier: "back" } });
  for (const [name, more] of [
    ["shop_front", { Labels: { stack: "shop" } }],
    ["front", { Attachable: true }],
  ] as const) {
    await rig.call("POST", "/networks/create", { Name: name, Driver: "overlay", ...more });
  }
});
after(() => rig.stop());

type Filters = Readonly<Record<string, readonly string[] | Readonly<Record<string, boolean>>>>;

async function list(path: string, filters: Filters): ReturnType<Rig["call"]> {
  return await rig.call("GET", `${path}?filters=${encodeURIComponent(JSON.stringify(filters))}`);
}

const nodeId = "bbb0000000000000000000000" as NodeId;

/** Filters, and the names of what is listed. */
const found: readonly (readonly [path: string, filters: Filters, want: readonly string[]])[] = [
  ["/nodes", { id: ["bbb"] }, ["host2"]],
  ["/nodes", { name: ["host"] }, ["host1", "host2"]],
  ["/nodes", { name: ["ost2"] }, []],
  ["/nodes", { role: ["MANAGER"] }, ["host1"]],
  ["/nodes", { role: ["worker", "manager"] }, ["host1", "host2"]],
  ["/nodes", { membership: ["accepted"] }, ["host1", "host2"]],
  ["/nodes", { membership: ["pending"] }, []],
  ["/nodes", { "node.label": ["disk=ssd"] }, ["host2"]],
  ["/nodes", { "node.label": ["disk", "zone="] }, ["host2"]],
  ["/nodes", { "node.label": ["disk=hdd"] }, []],
  ["/nodes", { label: ["disk=ssd"] }, []],
  ["/nodes", { role: { worker: true }, name: { host1: true } }, []],
  ["/services", { name: ["web"] }, ["web", "web-admin"]],
  ["/services", { name: { agent: true, "web-": true } }, ["web-admin", "agent"]],
  ["/services", { mode: ["global"] }, ["agent"]],
  ["/services", { mode: ["replicated", "global"] }, ["web", "web-admin", "agent"]],
  ["/services", { mode: ["bogus"] }, []],
  ["/services", { runtime: ["container"] }, ["web", "web-admin", "agent"]],
  ["/services", { runtime: ["plugin"] }, []],
  ["/services", { label: ["tier"] }, ["web", "agent"]],
  ["/services", { label: ["tier=front", "com.example/a=x=y"] }, ["web"]],
  ["/tasks", { service: ["web"] }, ["web.1"]],
  ["/tasks", { service: ["agent"], node: ["host2"] }, ["agent.bbb0000000000000000000000"]],
  ["/tasks", { node: [nodeId.slice(0, 4)], name: ["web-admin"] }, ["web-admin.2"]],
  ["/tasks", { name: ["web.1"] }, ["web.1"]],
  ["/tasks", { label: ["tier=front"] }, ["web.1"]],
  ["/tasks", { service: ["web"], "desired-state": ["Running"] }, ["web.1"]],
  ["/tasks", { service: ["web"], "desired-state": ["shutdown"] }, []],
  ["/tasks", { service: ["web"], "_up-to-date": ["true"] }, ["web.1"]],
  ["/tasks", { service: ["web"], runtime: ["container"] }, ["web.1"]],
  ["/networks", { name: ["front"] }, ["shop_front", "front"]],
  ["/networks", { name: ["^front$"] }, ["front"]],
  ["/networks", { driver: ["overlay"], name: ["ingress"] }, ["ingress"]],
  ["/networks", { driver: ["bridge"] }, []],
  ["/networks", { scope: ["swarm"], label: ["stack=shop"] }, ["shop_front"]],
  ["/networks", { scope: ["local"] }, []],
  ["/networks", { type: ["custom"] }, ["shop_front", "front"]],
  ["/networks", { dangling: ["true"] }, []],
];

function nameOf(row: {
  readonly Name?: string;
  readonly Slot?: number;
  readonly NodeID?: string;
  readonly ServiceID?: string;
  readonly Spec?: { readonly Name?: string };
  readonly Description?: { readonly Hostname: string };
}): string {
  if (row.ServiceID !== undefined) {
    const service = rig.door.store.services().find(({ ID }) => ID === row.ServiceID);
    return `${service?.Spec.Name}.${row.Slot ?? row.NodeID}`;
  }
  return row.Description?.Hostname ?? row.Spec?.Name ?? row.Name ?? "";
}

for (const [path, filters, want] of found) {
  test(`GET ${path} with ${JSON.stringify(filters)} lists ${want.join(", ") || "nothing"}`, async () => {
    const { status, body } = await list(path, filters);
    assert.equal(status, 200);
    assert.deepEqual(body.map(nameOf), want);
  });
}

test("an object is listed by the beginning of its id", async () => {
  const { body } = await list("/services", { id: [web.slice(0, -1)] });
  assert.ok(body.some(({ ID }: { ID: string }) => ID === web));
  assert.deepEqual((await list("/services", { id: [web.slice(1)] })).body, []);
});

const refused: readonly (readonly [path: string, filters: Filters, want: object])[] = [
  ...["/nodes", "/services", "/tasks", "/networks", "/secrets", "/configs"].map(
    (path) => [path, { bogus: ["1"] }, { status: 400, message: "Invalid filter 'bogus'" }] as const,
  ),
  ["/nodes", { role: ["boss"] }, { status: 500, message: "Invalid role filter: 'boss'" }],
  [
    "/nodes",
    { membership: ["maybe"] },
    { status: 500, message: "Invalid membership filter: 'maybe'" },
  ],
  [
    "/tasks",
    { "desired-state": ["odd"] },
    { status: 500, message: "Invalid desired-state filter: 'odd'" },
  ],
  ["/tasks", { service: ["nosuch"] }, { status: 404, message: "service nosuch not found" }],
  ["/tasks", { node: ["nosuch"] }, { status: 404, message: "node nosuch not found" }],
];
for (const [path, filters, want] of refused) {
  test(`GET ${path} with ${JSON.stringify(filters)} is refused`, async () => {
    const { status, body } = await list(path, filters);
    assert.deepEqual({ status, message: body.message }, want);
  });
}
